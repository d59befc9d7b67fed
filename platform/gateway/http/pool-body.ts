import { FreshetError } from '../../base/mod.ts';
import type { PoolOptions } from '../../client/mod.ts';

/**
 * The options of a pool from a JSON body. Names, values and limits are checked where pools are
 * made; here only that there is something to check.
 */
export function poolOptionsOf(body: unknown): PoolOptions {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new FreshetError('INVALID_POOL', 'The options of a pool are a JSON object', {
      mend: `Send {"name": "/…", "kind": "volatile"}`,
    });
  }
  const options = body as Readonly<Record<string, unknown>>;
  for (const name of ['name', 'kind']) {
    if (typeof options[name] !== 'string') {
      throw new FreshetError('INVALID_POOL', `The option ${name} of a pool is a string`, {
        mend: 'Give a name and one of the kinds volatile, persistent, trigger',
      });
    }
  }
  return options as unknown as PoolOptions;
}
