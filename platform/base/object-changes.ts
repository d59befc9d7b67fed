/** What requests become for the shard of their key, and what is refused of them before that. */
import { FreshetError } from './errors.ts';
import { limits } from './limits.ts';
import { encodeMeta } from './meta.ts';
import type { PoolInfo } from './pool.ts';
import type {
  Ack,
  Expectation,
  GetRequest,
  PutRequest,
  RemoveRequest,
  SessionStamp,
} from './request.ts';
import { checkStamp } from './request-stamps.ts';

/** A change of an object, checked and complete. */
export interface ObjectChange {
  readonly kind: 'put' | 'remove' | 'trigger';
  /** Id of the pool. */
  readonly pool: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  /** A MessagePack map of strings. */
  readonly meta: Uint8Array | null;
  readonly ack: Ack;
  readonly expect: Expectation | null;
  readonly eventTime: number | null;
  readonly session: SessionStamp | null;
}

/** What is to be known of a pool before anything is put there. */
export type TakingPool = Pick<PoolInfo, 'name' | 'id' | 'kind' | 'maxValueBytes'>;

/** `session`: in the place of the request's own. */
export function toChange(
  kind: ObjectChange['kind'],
  request: RemoveRequest & { readonly value?: Uint8Array },
  pool: TakingPool,
  session = request.session,
): ObjectChange {
  const { key, value, expect, eventTime, ack } = request;
  if (value !== undefined) {
    checkSize(key, value.byteLength, pool);
  }
  if (kind === 'trigger' && (value?.byteLength ?? 0) > limits.valueBytesWhole) {
    const text = `The trigger of ${key} has over ${String(limits.valueBytesWhole)} bytes`;
    throw new FreshetError('VALUE_TOO_LARGE', text, { mend: 'Put what is so long, and store it' });
  }
  if (session !== undefined) {
    checkStamp(session);
  }
  if (pool.kind === 'trigger' && kind !== 'trigger') {
    throw new FreshetError('UNSUPPORTED', `The trigger pool ${pool.name} stores nothing`, {
      mend: 'Use triggerPut, or put with store: false',
      details: { key },
    });
  }
  return {
    kind,
    pool: pool.id,
    key,
    value: value ?? null,
    meta: encodeMeta(request.meta),
    ack: ack ?? (pool.kind === 'persistent' ? 'persisted' : 'delivered'),
    expect: expect ?? null,
    eventTime: checkedEventTime(key, eventTime),
    session: session ?? null,
  };
}

/** null: none was given. To the data plane NaN means none too, so it is refused here. */
export function checkedEventTime(key: string, eventTime: number | undefined): number | null {
  if (eventTime === undefined) return null;
  if (Number.isSafeInteger(eventTime)) return eventTime;
  const text = `The eventTime of ${key} is ${String(eventTime)}, no whole number of microseconds`;
  throw new FreshetError('INVALID_ARGUMENT', text, { details: { key } });
}

/** How long so many bytes may be on their way, ms: 10 MB go in a second, even to slow disks. */
export function transferMs(bytes: number): number {
  return Math.ceil(bytes / 10_000);
}

/** How long a call with so many bytes may take, ms. */
export function timeoutOf(bytes: number): number {
  const wanted = limits.requestTimeoutMsDefault + transferMs(bytes);
  return Math.min(wanted, limits.requestTimeoutMsMax);
}

/** `size`: of the value, in bytes. Throws VALUE_TOO_LARGE. */
export function checkSize(
  key: string,
  size: number,
  pool: Pick<TakingPool, 'name' | 'maxValueBytes'>,
): void {
  if (size > pool.maxValueBytes) {
    throw new FreshetError(
      'VALUE_TOO_LARGE',
      `${key} has ${String(size)} bytes, pool ${pool.name} takes ${String(pool.maxValueBytes)}`,
      { details: { key, size, limit: pool.maxValueBytes } },
    );
  }
}

export function checkBatch(requests: readonly PutRequest[]): void {
  const bytes = requests.reduce((sum, { value }) => sum + value.byteLength, 0);
  if (requests.length > limits.batchPuts || bytes > limits.batchBytes) {
    throw new FreshetError(
      'OVERLOADED',
      `A batch of ${String(requests.length)} puts with ${String(bytes)} bytes is too large`,
      {
        mend: `Send up to ${String(limits.batchPuts)} puts and ${String(limits.batchBytes)} bytes`,
      },
    );
  }
}

/** There is no order that a condition could be judged in. */
export function checkRaw(
  { name }: Pick<PoolInfo, 'name'>,
  { key, expect }: RemoveRequest,
  isRaw: boolean,
): void {
  if (expect !== undefined && isRaw) {
    throw new FreshetError('UNSUPPORTED', `${name} is raw: it meets no state to expect`, {
      mend: 'Leave expect out, or put into a pool of an ordered subgroup',
      details: { key },
    });
  }
}

/** A read names a version, or a time; whether that lies in the future its member knows. */
export function checkPoint({ version, exact, at, maxBytes = 0 }: GetRequest): void {
  const both = version !== undefined && at !== undefined;
  if (both || (exact === true && version === undefined)) {
    throw new FreshetError('INVALID_ARGUMENT', 'A read names a version, or a time, not both', {
      mend: 'Give version (and exact), or at',
    });
  }
  for (const number of [version, at]) {
    if (number !== undefined && (!Number.isSafeInteger(number) || number < 0)) {
      throw new FreshetError('INVALID_ARGUMENT', `${String(number)} is no version and no time`);
    }
  }
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
    const text = `maxBytes is ${String(maxBytes)}, not a whole number from 0`;
    throw new FreshetError('INVALID_ARGUMENT', text);
  }
}

/** `newest`: version of the key; 0: it has none. */
export function conditionError(key: string, newest: number): FreshetError {
  const has = newest === 0 ? 'has no version' : `is at version ${String(newest)}`;
  return new FreshetError('CONDITION_FAILED', `${key} ${has}, which is not as expected`, {
    details: { key, versionOfKey: newest },
  });
}
