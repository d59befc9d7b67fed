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

/** As `parseNumber`, for what can only be whole. */
export function parseWhole(text: string, option: string, min: number, max: number): number {
  const value = parseNumber(text, option, min, max);
  if (Number.isSafeInteger(value)) return value;
  throw new FreshetError('INVALID_ARGUMENT', `${option} is '${text}', not a whole number`);
}

const isoMoment = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** A moment: µs since 1970, an ISO 8601 date, or `-30s`, `-5m`, `-2h` before `nowUs`. */
export function parseMoment(text: string, option: string, nowUs: number): number {
  const relative = /^-(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (relative !== null) {
    const unitUs = { ms: 1e3, s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6 }[relative[2] as 'ms'];
    const moment = Math.round(nowUs - Number(relative[1]) * unitUs);
    if (Number.isSafeInteger(moment)) return moment;
  }
  if (/^\d{10,}$/.test(text)) return parseNumber(text, option, 0, Number.MAX_SAFE_INTEGER);
  // Date.parse alone would take -5 for a day in May 2001.
  const parsed = isoMoment.test(text) ? Date.parse(text) : NaN;
  // A Date ends at milliseconds; what follows them tells two versions apart.
  const micros = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? '';
  if (Number.isSafeInteger(parsed * 1000)) return parsed * 1000 + Number(micros.padEnd(3, '0'));
  throw new FreshetError('INVALID_ARGUMENT', `${option} is '${text}', which is no moment`, {
    mend: "Give microseconds since 1970, an ISO date such as 2026-01-31T12:00:00Z, or '-30s'",
  });
}
