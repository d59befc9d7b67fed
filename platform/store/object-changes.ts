/** What requests become for the shard of their key, and what is refused of them before that. */
import {
  checkStamp,
  FreshetError,
  limits,
  type PutRequest,
  type RemoveRequest,
} from '../base/mod.ts';
import { encodeMeta } from './meta.ts';
import type { PoolInfo } from './pool.ts';
import type { ShardChange } from './shard-access.ts';

export function toChange(
  kind: 'put' | 'remove' | 'trigger',
  request: RemoveRequest & { readonly value?: Uint8Array },
  pool: PoolInfo,
): ShardChange {
  const { key, value, expect, eventTime, session, ack } = request;
  if (value !== undefined) {
    checkSize(key, value, pool);
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

export function checkSize(key: string, value: Uint8Array, pool: PoolInfo): void {
  if (value.byteLength > pool.maxValueBytes) {
    const size = value.byteLength;
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
