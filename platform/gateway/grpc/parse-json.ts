import { FreshetError, messageOf } from '../../base/mod.ts';

/** JSON out of a message field; INVALID_ARGUMENT names the field. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new FreshetError('INVALID_ARGUMENT', `${what} is not JSON: ${messageOf(cause)}`, {
      cause,
    });
  }
}
