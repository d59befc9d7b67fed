/**
 * JavaScript never asks the left side of `a || b` or `a ?? b` when it is an object, so the
 * recorder cannot see that a recorded part was taken for a plain value there, and `b` would be
 * lost without a word. The text of the lambda is the only witness.
 */

/** Texts, templates and comments, in which the operators mean nothing. */
const skipped =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;

/** The operator in the lambda's text that would lose a part, or null. */
export function findLosingOperator(lambda: (...args: never[]) => unknown): '||' | '??' | null {
  const text = Function.prototype.toString.call(lambda).replace(skipped, ' ');
  return text.includes('||') ? '||' : text.includes('??') ? '??' : null;
}
