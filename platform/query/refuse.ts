import { FreshetError } from '../base/mod.ts';

/** INVALID_QUERY that names the part; `mend` says what to write instead. */
export function refusal(message: string, mend: string): FreshetError {
  return new FreshetError('INVALID_QUERY', message, { mend });
}
