/**
 * IEEE 754 binary16 to and from JavaScript numbers. Node 20 has no Float16Array, and
 * onnxruntime takes and gives half floats as their 16 bits in a Uint16Array.
 */

/** The 16 bits of the half float nearest to `value`, ties to even; too large gives infinity. */
export function toHalf(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: rebias the exponent by 112 and round the 13 dropped bits; a carry may overflow the
    // mantissa into the exponent, which is exactly the next representable number.
    const rebiased = magnitude - 0x38000000;
    return sign | ((rebiased + 0x0fff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  if (magnitude < 0x33000000) return sign;
  // Subnormal: the unit is 2^-24.
  const exponent = magnitude >>> 23;
  const mantissa = (magnitude & 0x007fffff) | 0x00800000;
  const shift = 126 - exponent;
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  const roundUp = rest > half || (rest === half && (kept & 1) === 1);
  return sign | (kept + (roundUp ? 1 : 0));
}

/** The value of the half float with these 16 bits. */
export function fromHalf(half: number): number {
  const sign = (half & 0x8000) === 0 ? 1 : -1;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

export function fromHalfArray(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i += 1) values[i] = fromHalf(halves[i] ?? 0);
  return values;
}
