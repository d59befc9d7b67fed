/** When a call is tried again, and what is said when it is not: pure, for `SessionDoor`. */
import { type ErrorCode, FreshetError, outageCodes, transferMs } from '../base/mod.ts';

/** One member is waited for so long, if there are others to ask. */
const attemptMsMax = 3000;
/** Between two rounds through all members, growing from the first to the second. */
const pauseMsMin = 50;
const pauseMsMax = 1000;

/** CLOSED: the member is going. TIMEOUT is of the try, whose time may be less than the call's. */
const goneCodes: ReadonlySet<ErrorCode> = new Set([...outageCodes, 'CLOSED', 'TIMEOUT']);

/** Another member may answer, or this one a moment later. */
export function isGone(code: ErrorCode): boolean {
  return goneCodes.has(code);
}

/** How long one member is given of the time that is left, ms. `bytes` go with the call. */
export function attemptMs(leftMs: number, members: number, bytes = 0): number {
  return members > 1 ? Math.min(leftMs, attemptMsMax + transferMs(bytes)) : leftMs;
}

/** Before the next try, ms: none while there are members that were not asked in this round. */
export function pauseMs(tries: number, members: number): number {
  const round = Math.max(1, members);
  if (tries % round !== 0) return 0;
  return Math.min(pauseMsMin * 2 ** (tries / round - 1), pauseMsMax);
}

/** After several tries nobody knows whether one of them was made. */
export function unknownError(key: string, timeoutMs: number, last: FreshetError): FreshetError {
  const limit = `${String(timeoutMs)} ms`;
  const text = `The change of ${key} was not answered within ${limit} and may have been made`;
  return new FreshetError('TIMEOUT', `${text}; at last: ${last.toString()}`, {
    mend: 'Read it before changing it again, or allow more time',
    cause: last,
  });
}

export function expiredError(key: string, cause: FreshetError): FreshetError {
  const text = `The session of the change of ${key} is forgotten; it may or may not have been made`;
  return new FreshetError('SESSION_EXPIRED', text, {
    mend: 'Read it before changing it again',
    cause,
  });
}
