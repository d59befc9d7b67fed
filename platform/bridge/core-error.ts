import {
  type ErrorCode,
  errorCodes,
  type ErrorDetails,
  FreshetError,
  isErrorCode,
} from '../base/mod.ts';

/** Native codes that have another name, or no business, above the bridge. */
const otherNames: Readonly<Record<string, ErrorCode>> = Object.freeze({
  PEER_UNREACHABLE: 'UNREACHABLE',
  COLD: 'INTERNAL',
});

/**
 * The one place where a native status becomes an error. `what` says what was tried, as in
 * "The put of /a/b"; `statusNames` is the native table.
 */
export function coreError(
  statusNames: readonly string[],
  status: number,
  what: string,
  details: ErrorDetails = {},
): FreshetError {
  const name = statusNames[Math.abs(status)] ?? `status ${String(status)}`;
  const code = otherNames[name] ?? (isErrorCode(name) ? name : 'INTERNAL');
  const told = code === 'INTERNAL' ? `the native side answered ${name}` : errorCodes[code].summary;
  return new FreshetError(code, `${what} was refused: ${told}`, { details });
}

/** An error thrown by the native side starts with the name of its status. */
export function thrownCoreError(caught: unknown, what: string): FreshetError {
  if (caught instanceof FreshetError) {
    return caught;
  }
  const message = caught instanceof Error ? caught.message : String(caught);
  const name = /^[A-Z_]+/.exec(message)?.[0] ?? '';
  const code = otherNames[name] ?? (isErrorCode(name) ? name : 'INTERNAL');
  const rest = message.slice(name.length).replace(/^[:\s]+/, '');
  const told = rest === '' ? errorCodes[code].summary : rest;
  return new FreshetError(code, `${what} failed: ${told}`, { cause: caught });
}
