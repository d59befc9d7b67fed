import { isFreshetError, SystemClock, SystemRandom } from '../base/mod.ts';
import { Database } from './database.ts';
import type { Door } from './door.ts';
import type { GrpcDoor } from './grpc/mod.ts';
import { SessionDoor } from './session-door.ts';

export interface ConnectOptions {
  readonly token?: string;
  /** For every call that names no limit of its own. Default 10 000. */
  readonly timeoutMs?: number;
  /**
   * `native`: puts, gets and watches speak with the members' native threads, the rest goes over
   * gRPC; `grpc`: everything does; `auto` (default): native where that can be.
   */
  readonly door?: 'auto' | 'native' | 'grpc';
}

export const defaultTimeoutMs = 10_000;

/**
 * Connects to a cluster by the gRPC doors of one or more of its members, `host:port`. UNREACHABLE if
 * none of them answers. While one does not answer the next is asked; puts and removes are made once
 * all the same (a session with the shards, opened here). With `door: 'native'` NATIVE_MISSING (there
 * is no addon for this machine) and UNSUPPORTED (the members have no native doors) are errors.
 */
export async function connect(
  address: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Database> {
  const { token = null, timeoutMs = defaultTimeoutMs, door = 'auto' } = options;
  // Loaded here, so that those who never connect, workers of lambdas say, do not load gRPC.
  const { GrpcDoor } = await import('./grpc/grpc-door.ts');
  const grpc = new SessionDoor({
    addresses: typeof address === 'string' ? [address] : address,
    open: (one) => new GrpcDoor(one, { token, timeoutMs }),
    timeoutMs,
    ...surroundings(),
  });
  try {
    await grpc.connect();
    return new Database(door === 'grpc' ? grpc : await withNative(grpc, timeoutMs, door));
  } catch (error) {
    await grpc.close();
    throw error;
  }
}

/** The native door before the other one; with `auto`, the other one alone where there is none. */
async function withNative(
  grpc: SessionDoor<GrpcDoor>,
  timeoutMs: number,
  wanted: 'auto' | 'native',
): Promise<Door> {
  const { openNative } = await import('./native/open-native.ts');
  const fetch = async () => grpc.ask({ timeoutMs }, async (member) => member.nativeDoor());
  try {
    return await openNative({ grpc, fetch, timeoutMs, ...surroundings() });
  } catch (error) {
    if (wanted === 'native') throw error;
    // Whatever the reason, gRPC has just answered.
    if (isFreshetError(error)) return grpc;
    throw error;
  }
}

function surroundings() {
  return {
    clock: new SystemClock(),
    random: new SystemRandom(),
    pause: async (delayMs: number) =>
      new Promise<void>((resolve) => {
        setTimeout(resolve, delayMs);
      }),
  };
}
