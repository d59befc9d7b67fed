/**
 * A watch of a client with native doors: natively from now on, over gRPC from a token on and where
 * a native one ended. Tokens are alike, so each goes on where the other was.
 *
 * Thread: event loop.
 * Invariant: every event is handed out once; those of a shard in its order.
 */
import {
  type Clock,
  isFreshetError,
  type Position,
  toFreshetError,
  Watch,
  type WatchEvent,
  type WatchRequest,
} from '../../base/mod.ts';
import { pauseMs } from '../retry-policy.ts';
import type { DoorConnection } from './door-connection.ts';
import { NativeFeed } from './native-feed.ts';
import type { RoutedShard, Topology } from './topology.ts';

export interface NativeWatchOptions {
  readonly request: WatchRequest;
  /** null: nothing is known, so nothing is native. */
  readonly topology: Topology | null;
  /** Whom to ask for a shard; rejects when there is nobody. */
  readonly route: (shard: number, failed: number | null) => Promise<DoorConnection>;
  /** The native table. */
  readonly statusNames: readonly string[];
  readonly overGrpc: (request: WatchRequest) => AsyncIterable<WatchEvent>;
  readonly clock: Clock;
  readonly pause: (delayMs: number) => Promise<void>;
  /** For so long members are looked for that go on with it. */
  readonly timeoutMs: number;
}

export async function* watchNatively(options: NativeWatchOptions): AsyncGenerator<WatchEvent> {
  const { request } = options;
  let token = request.from ?? null;
  const watch = token === null ? await openWatch(options) : null;
  if (watch !== null) {
    token = watch.token;
    try {
      for await (const event of watch) {
        token = event.token;
        yield event;
      }
      return;
    } catch (caught) {
      // Anything else is of the members that were asked, and nothing was left out yet.
      if (!isFreshetError(caught, 'UNREACHABLE')) throw caught;
    } finally {
      await watch.return();
    }
  }
  yield* overGrpc(options, token);
}

/** From a token it goes on when the member that tells it is lost; without one it has not begun. */
async function* overGrpc(
  { request, overGrpc: open, clock, pause, timeoutMs }: NativeWatchOptions,
  token: string | null,
): AsyncGenerator<WatchEvent> {
  let from = token;
  let deadline = clock.monotonicMs() + timeoutMs;
  for (let tries = 1; ; tries++) {
    try {
      for await (const event of open(from === null ? request : { ...request, from })) {
        from = event.token;
        tries = 0;
        yield event;
        deadline = clock.monotonicMs() + timeoutMs;
      }
      return;
    } catch (caught) {
      const delayMs = pauseMs(Math.max(1, tries), 1);
      const isLost = isFreshetError(caught, 'UNREACHABLE') && from !== null && from !== 'start';
      if (!isLost || clock.monotonicMs() + delayMs >= deadline) throw caught;
      await pause(delayMs);
    }
  }
}

/** null: it cannot be opened natively. */
async function openWatch(options: NativeWatchOptions): Promise<Watch | null> {
  const { request, topology } = options;
  const { prefix, signal = null } = request;
  const all = topology?.poolsUnder(prefix) ?? [];
  const pools = all.filter((pool) => topology?.isRaw(pool) === false);
  const ids = new Set(pools.flatMap(({ shards }) => shards));
  const shards = [...ids].flatMap((shard) => topology?.shard(shard) ?? []);
  if (shards.length === 0 || shards.length < ids.size || signal?.aborted === true) return null;
  const [only] = all.length === 1 ? pools : [];
  const bytes = only?.name === prefix ? `${prefix}/` : prefix;
  const feeds = new Map(shards.map((shard) => [shard.shard, feedOf(options, shard, bytes)]));
  const positions = new Map<number, Position>();
  try {
    await Promise.all([...feeds.values()].map(async (feed) => feed.start()));
    for (const [shard, { position }] of feeds) {
      // An epoch of 0 says: whatever history this version belongs to.
      positions.set(shard, { epoch: 0, version: Math.max(0, position - 1) });
    }
  } catch (caught) {
    for (const feed of feeds.values()) feed.close();
    if (isFreshetError(caught, 'CLOSED')) throw toFreshetError(caught);
    return null;
  }
  const wants = (key: string): boolean => pools.some(({ name }) => key.startsWith(`${name}/`));
  return new Watch({ feeds, positions, wants, signal });
}

function feedOf(
  { request, route, statusNames }: NativeWatchOptions,
  { shard, persistent }: RoutedShard,
  prefix: string,
): NativeFeed {
  const persisted = persistent && (request.frontier ?? 'persisted') === 'persisted';
  const find = async (failed: number | null): Promise<DoorConnection> => route(shard, failed);
  return new NativeFeed({ shard, prefix, persisted, statusNames, route: find });
}
