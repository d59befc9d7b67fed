import { FreshetError, type GetRequest, limits, type ObjectRecord } from '../base/mod.ts';
import type { Door } from '../client/mod.ts';
import { lookAgain } from '../store/mod.ts';
import type { LongBodies } from './long-bodies.ts';

/** An object, and the room that its value has on its way out, which is to be given back. */
export interface Admitted {
  readonly object: ObjectRecord | null;
  /** 0: it needs none. */
  readonly roomBytes: number;
}

/** How a long value is got that may not be wanted, or not for long. */
export interface LongGetOptions {
  /** Asked once it is known, without its bytes. */
  readonly wanted?: (head: ObjectRecord) => boolean;
  /** Waited for before one is fetched, and takes room. */
  readonly whenTurn?: () => Promise<void>;
  /** For one that is fetched: aborted when nobody waits for it any more. */
  readonly signalOf?: () => AbortSignal;
}

/**
 * As `get`, but a long value is looked at without its bytes first, and fetched only if it is
 * wanted then and has room; else it is left out. Rejects OVERLOADED: there is no room.
 */
export async function getAdmitted(
  door: Pick<Door, 'get'>,
  request: GetRequest,
  bodies: LongBodies,
  { wanted = () => true, whenTurn, signalOf }: LongGetOptions = {},
): Promise<Admitted> {
  const { version = null, at = null, maxBytes = Infinity } = request;
  return lookAgain({ version, at }, async () => {
    const head = await getWhole(door, request);
    const isFetched = isLeftOut(head) && head.size <= maxBytes && wanted(head);
    if (!isFetched) return { object: head, roomBytes: 0 };
    await whenTurn?.();
    bodies.take(head.size);
    try {
      const wait = signalOf === undefined ? request : { ...request, signal: signalOf() };
      return { object: await getVersion(door, wait, head), roomBytes: head.size };
    } catch (caught) {
      bodies.giveBack(head.size);
      throw caught;
    }
  });
}

/** As `get`, but a value is left out that does not go as a whole. */
export function getWhole(
  door: Pick<Door, 'get'>,
  request: GetRequest,
): Promise<ObjectRecord | null> {
  const maxBytes = Math.min(request.maxBytes ?? Infinity, limits.valueBytesWhole);
  return door.get({ ...request, maxBytes });
}

export function isLeftOut(object: ObjectRecord | null): object is ObjectRecord {
  return object?.value === null && !object.removed;
}

/** The very one that has room, or COMPACTED. */
async function getVersion(
  door: Pick<Door, 'get'>,
  { key, read, timeoutMs, signal }: GetRequest,
  { version, size }: ObjectRecord,
): Promise<ObjectRecord> {
  const object = await door.get({
    ...{ key, version, exact: true, maxBytes: size },
    ...(read === undefined ? {} : { read }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (object !== null && !isLeftOut(object)) return object;
  const text = `Version ${String(version)} of ${key} went while it was looked at`;
  throw new FreshetError('COMPACTED', text);
}
