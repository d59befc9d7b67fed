/**
 * Keys made from the columns of a row: `/dairy/daily_{field}/cow_{cow}`. `{field}` is special: it
 * stands for each value column in turn, so that a wide row becomes one put a column.
 */

export class KeyTemplate {
  readonly #parts: readonly string[];
  /** The names in braces, without `field`. */
  readonly columns: readonly string[];
  readonly isPerField: boolean;

  /** @throws RangeError for braces that do not close, an empty name, or a key that is no path */
  constructor(template: string) {
    this.#parts = template.split(/[{}]/);
    const rebuilt = this.#parts.map((part, i) => (i % 2 === 0 ? part : `{${part}}`)).join('');
    const names = this.#parts.filter((_, i) => i % 2 === 1);
    if (rebuilt !== template || names.includes('')) {
      throw new RangeError(`the braces of the key ${template} do not match`);
    }
    if (!template.startsWith('/')) throw new RangeError(`the key ${template} must start with /`);
    this.isPerField = names.includes('field');
    this.columns = [...new Set(names.filter((name) => name !== 'field'))];
  }

  /**
   * @param valueOf the text of a column, or of `field`
   * @returns the key, or what is wrong with a value that would be part of it
   */
  fill(valueOf: (name: string) => string): { readonly key: string } | { readonly reason: string } {
    let key = '';
    for (const [i, part] of this.#parts.entries()) {
      if (i % 2 === 0) {
        key += part;
        continue;
      }
      const value = valueOf(part);
      const problem = problemOf(value);
      if (problem !== null) return { reason: `${part} ${problem}, so it cannot be in a key` };
      key += value;
    }
    return { key };
  }
}

/** A value is one step of a path or a part of it, never several or a way out. */
function problemOf(value: string): string | null {
  if (value === '') return 'is empty';
  if (value.includes('/')) return 'contains a slash';
  if (value.includes('..')) return 'contains two dots';
  return /[\u0000-\u001f\u007f-\u009f]/.test(value) ? 'contains a control character' : null;
}
