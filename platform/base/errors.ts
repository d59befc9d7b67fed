import { type ErrorCode, errorCodes, isErrorCode } from './error-codes.ts';

/** What is known about a failure besides its sentence: names, sizes, offsets, addresses. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface FreshetErrorOptions {
  /** What to do about it, where the place knows better than the code table. */
  readonly mend?: string;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/** The form in which an error crosses a door, a worker or a dead letter. */
export interface ErrorObject {
  readonly code: ErrorCode;
  readonly message: string;
  readonly mend: string;
  readonly retryable: boolean;
  readonly details: ErrorDetails;
}

const noDetails: ErrorDetails = Object.freeze({});

/**
 * An operating failure: something outside this code is not as it should be. A fault of our own is
 * an `InvariantError` instead. `message` says what and where; `mend` says what to do about it.
 */
export class FreshetError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly mend: string;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: FreshetErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FreshetError';
    this.code = code;
    this.retryable = errorCodes[code].retryable;
    this.mend = options.mend ?? errorCodes[code].mend;
    this.details =
      options.details === undefined ? noDetails : Object.freeze({ ...options.details });
  }

  /** One line: `CODE: message. Mend.` The code is all before the first colon. */
  override toString(): string {
    return `${this.code}: ${asSentence(this.message)} ${asSentence(this.mend)}`;
  }

  toJSON(): ErrorObject {
    const { code, message, mend, retryable, details } = this;
    return { code, message, mend, retryable, details };
  }
}

export function isFreshetError(value: unknown, code?: ErrorCode): value is FreshetError {
  return value instanceof FreshetError && (code === undefined || value.code === code);
}

/**
 * The coded form of anything caught. What is coded already is returned as it is; everything else
 * becomes `fallback` with the caught value as its cause.
 */
export function toFreshetError(caught: unknown, fallback: ErrorCode = 'INTERNAL'): FreshetError {
  if (caught instanceof FreshetError) {
    return caught;
  }
  return new FreshetError(fallback, messageOf(caught), { cause: caught });
}

/** Rebuilds an error from what `toJSON` gave. An unknown code or shape becomes INTERNAL. */
export function errorFromObject(value: unknown): FreshetError {
  if (typeof value !== 'object' || value === null) {
    return new FreshetError('INTERNAL', `An error arrived in an unknown form: ${String(value)}`);
  }
  const { code, message, mend, details } = value as Record<string, unknown>;
  const text = typeof message === 'string' ? message : 'An error arrived without a message';
  if (!isErrorCode(code)) {
    return new FreshetError('INTERNAL', text, { details: { receivedCode: scalarOf(code) } });
  }
  const kept = typeof details === 'object' && details !== null ? scalars(details) : noDetails;
  return new FreshetError(code, text, {
    details: kept,
    ...(typeof mend === 'string' ? { mend } : {}),
  });
}

/** The message of anything thrown, for logs and causes. */
export function messageOf(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught);
}

function asSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function scalars(details: object): ErrorDetails {
  return Object.fromEntries(
    Object.entries(details).map(([name, value]): [string, string | number | boolean | null] => [
      name,
      scalarOf(value),
    ]),
  );
}

function scalarOf(value: unknown): string | number | boolean | null {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return value;
  }
  return value === null || value === undefined ? null : JSON.stringify(value);
}
