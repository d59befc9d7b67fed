const MiB = 2 ** 20;

/** A value, another one for each number; no two MiB of it are alike. */
export function longValue(bytes: number, number: number): Buffer {
  const value = Buffer.alloc(bytes, `value ${String(number)}`);
  for (let at = 0; at + 4 <= bytes; at += MiB) value.writeUInt32LE(at + number, at);
  return value;
}
