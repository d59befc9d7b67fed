import { readFile, writeFile } from 'node:fs/promises';
import { loadAddon } from '../../platform/bridge/mod.ts';

/** Of a record; records begin at its multiples. */
const headerSize = 64;

/**
 * Changes the value of a log's first record whose key begins so, under right checksums, as a fault in
 * memory would have written it: nothing but the history of other members tells. The log's member may
 * not run.
 */
export async function forgeLog(file: string, keyStart: string): Promise<void> {
  const addon = loadAddon();
  const crcOf = (part: Buffer) => addon.crc32c(part, 0);
  const content = await readFile(file);
  const found = content.indexOf(keyStart);
  if (found < 0) throw new Error(`${file} has no record of ${keyStart}`);
  const isHeader = (at: number) =>
    content.readUInt32LE(at) === crcOf(content.subarray(at + 4, at + headerSize));
  // What stands between a record's header and its key depends on who put it.
  let at = found - (found % headerSize);
  while (!isHeader(at)) at -= headerSize;
  const end = at + content.readUInt32LE(at + 8);
  content[end - 1] = (content[end - 1] ?? 0) ^ 1;
  content.writeUInt32LE(crcOf(content.subarray(at + headerSize, end)), at + 4);
  content.writeUInt32LE(crcOf(content.subarray(at + 4, at + headerSize)), at);
  await writeFile(file, content);
}
