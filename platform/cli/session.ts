import { FreshetError } from '../base/mod.ts';
import { GrpcDoor } from '../client/grpc/mod.ts';
import { connect, type Database } from '../client/mod.ts';
import type { Output } from './output.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly address: string;
  readonly token?: string;
  readonly json?: boolean;
  readonly timeout: string;
}

/** Where a local cluster started by `freshet dev` answers. */
export const defaultAddress = '127.0.0.1:7401';

/** What a command runs in: where to connect, how to print. */
export class Session {
  readonly output: Output;
  readonly #options: GlobalOptions;

  constructor(options: GlobalOptions, output: Output) {
    this.#options = options;
    this.output = output;
  }

  get address(): string {
    return this.#options.address;
  }

  /** Connects, runs, closes; whatever happens. */
  async withDatabase<T>(run: (db: Database) => Promise<T>): Promise<T> {
    const { address, token } = this.#options;
    const db = await connect(address, {
      timeoutMs: this.#timeoutMs(),
      ...(token === undefined ? {} : { token }),
    });
    try {
      return await run(db);
    } finally {
      await db.close();
    }
  }

  /** The gRPC door itself, for what the SDK does not offer: pipelines. */
  async withDoor<T>(run: (door: GrpcDoor) => Promise<T>): Promise<T> {
    const { address, token = null } = this.#options;
    const door = new GrpcDoor(address, { token, timeoutMs: this.#timeoutMs() });
    try {
      return await run(door);
    } finally {
      await door.close();
    }
  }

  #timeoutMs(): number {
    return parseNumber(this.#options.timeout, '--timeout', 1, 3600) * 1000;
  }
}

/** A number given on the command line; INVALID_ARGUMENT names the option and its bounds. */
export function parseNumber(text: string, option: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= min && value <= max) return value;
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `${option} is '${text}', not a number from ${String(min)} to ${String(max)}`,
  );
}

/** A moment: µs since 1970, an ISO 8601 date, or `-30s`, `-5m`, `-2h` before `nowUs`. */
export function parseMoment(text: string, option: string, nowUs: number): number {
  const relative = /^-(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (relative !== null) {
    const unitUs = { ms: 1e3, s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6 }[relative[2] as 'ms'];
    return Math.round(nowUs - Number(relative[1]) * unitUs);
  }
  if (/^\d{10,}$/.test(text)) return parseNumber(text, option, 0, Number.MAX_SAFE_INTEGER);
  const parsed = Date.parse(text);
  if (!Number.isNaN(parsed)) return parsed * 1000;
  throw new FreshetError('INVALID_ARGUMENT', `${option} is '${text}', which is no moment`, {
    mend: "Give microseconds since 1970, an ISO date such as 2026-01-31T12:00:00Z, or '-30s'",
  });
}
