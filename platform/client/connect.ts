import { Database } from './database.ts';

export interface ConnectOptions {
  readonly token?: string;
  /** For every call that names no limit of its own. Default 10 000. */
  readonly timeoutMs?: number;
}

export const defaultTimeoutMs = 10_000;

/**
 * Connects to a member by the address of its gRPC door, `host:port`. UNREACHABLE if nobody answers.
 */
export async function connect(address: string, options: ConnectOptions = {}): Promise<Database> {
  const { token = null, timeoutMs = defaultTimeoutMs } = options;
  // Loaded here, so that those who never connect, workers of lambdas say, do not load gRPC.
  const { GrpcDoor } = await import('./grpc/grpc-door.ts');
  const door = new GrpcDoor(address, { token, timeoutMs });
  try {
    await door.members();
  } catch (error) {
    await door.close();
    throw error;
  }
  return new Database(door);
}
