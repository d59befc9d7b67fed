import { Database } from './database.ts';
import { GrpcDoor } from './grpc/grpc-door.ts';

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
  const door = new GrpcDoor(address, { token, timeoutMs });
  try {
    await door.members();
  } catch (error) {
    await door.close();
    throw error;
  }
  return new Database(door);
}
