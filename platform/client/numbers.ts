import { type ErrorCode, FreshetError, limits } from '../base/mod.ts';

/**
 * Numbers and names as the wire takes them. Each is checked here, where the argument can still be
 * named.
 */

type Refusal = Extract<ErrorCode, 'INVALID_ARGUMENT' | 'INVALID_POOL'>;

const uint32Max = 0xffff_ffff;

/** A whole number from 0: a version, an epoch, an id, a size. */
export function versionNumber(value: number, name: string, code?: Refusal): number;
export function versionNumber(
  value: number | undefined,
  name: string,
  code?: Refusal,
): number | undefined;
export function versionNumber(
  value: number | undefined,
  name: string,
  code: Refusal = 'INVALID_ARGUMENT',
): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return value;
  throw new FreshetError(code, `${name} is ${String(value)}, not a whole number from 0`);
}

/** A whole number of µs since 1970; before it is negative. */
export function timeNumber(value: number | undefined, name: string): number | undefined {
  if (value === undefined || Number.isSafeInteger(value)) return value;
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `${name} is ${String(value)}, not a whole number of microseconds since 1970`,
  );
}

/** For a limit above 0; 0 on the wire is no limit, and so is what no wire number can say. */
export function limitNumber(value: number | undefined): number {
  if (value === undefined || value === Infinity) return 0;
  if (Number.isSafeInteger(value) && value >= 1) return value > uint32Max ? 0 : value;
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `limit is ${String(value)}, not a whole number from 0`,
  );
}

/** Whole ms, as long as a member waits at most; 0: the member's default. */
export function timeoutNumber(value: number | undefined): number {
  if (value === undefined) return 0;
  if (value >= 0) return Math.ceil(Math.min(value, limits.requestTimeoutMsMax));
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `timeoutMs is ${String(value)}, not a number of milliseconds from 0`,
  );
}

/** The number that stands for a name; undefined for none. */
export function enumNumber<N extends string, V extends number>(
  numbers: Readonly<Record<N, V>>,
  name: N | undefined,
  argument: string,
): V | undefined {
  if (name === undefined) return undefined;
  if (Object.hasOwn(numbers, name)) return numbers[name];
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `${argument} is '${name}', not one of ${Object.keys(numbers).join(', ')}`,
  );
}
