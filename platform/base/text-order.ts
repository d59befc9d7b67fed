/**
 * Orders texts as their UTF-8 bytes do, which is the order of code points; JavaScript's `<` orders
 * UTF-16 units and puts U+10000 and above before U+E000. Negative, zero or positive.
 */
export function compareText(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) {
      return rank(left) - rank(right);
    }
  }
  return a.length - b.length;
}

/** Moves surrogates above all other units, where the code points that they stand for are. */
function rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
