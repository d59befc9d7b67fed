import { SystemClock, SystemRandom } from '../base/mod.ts';
import { Database } from './database.ts';
import { SessionDoor } from './session-door.ts';

export interface ConnectOptions {
  readonly token?: string;
  /** For every call that names no limit of its own. Default 10 000. */
  readonly timeoutMs?: number;
}

export const defaultTimeoutMs = 10_000;

/**
 * Connects to a cluster by the gRPC doors of one or more of its members, `host:port`. UNREACHABLE if
 * none of them answers. While one does not answer the next is asked; puts and removes are made once
 * all the same (a session with the shards, opened here).
 */
export async function connect(
  address: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Database> {
  const { token = null, timeoutMs = defaultTimeoutMs } = options;
  // Loaded here, so that those who never connect, workers of lambdas say, do not load gRPC.
  const { GrpcDoor } = await import('./grpc/grpc-door.ts');
  const door = new SessionDoor({
    addresses: typeof address === 'string' ? [address] : address,
    open: (one) => new GrpcDoor(one, { token, timeoutMs }),
    timeoutMs,
    clock: new SystemClock(),
    random: new SystemRandom(),
    pause: async (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
  });
  try {
    await door.connect();
  } catch (error) {
    await door.close();
    throw error;
  }
  return new Database(door);
}
