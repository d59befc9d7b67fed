/**
 * A fault of our own. Nothing catches it on purpose: a member that finds one dies, since it can no
 * longer vouch for what it holds.
 */
export class InvariantError extends Error {
  readonly values: Readonly<Record<string, unknown>>;

  constructor(claim: string, values: Readonly<Record<string, unknown>> = {}) {
    const shown = Object.entries(values).map(([name, value]) => `${name}=${show(value)}`);
    super(`Does not hold: ${claim}${shown.length === 0 ? '' : ` (${shown.join(', ')})`}`);
    this.name = 'InvariantError';
    this.values = values;
  }
}

/** Always on. `claim` says what holds, `values` what was seen. */
export function check(
  holds: boolean,
  claim: string,
  values: Readonly<Record<string, unknown>> = {},
): asserts holds {
  if (!holds) {
    throw new InvariantError(claim, values);
  }
}

/** The last branch of an exhaustive switch: does not compile when a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantError('every case is handled', { value });
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
