import {
  type DestinationStream,
  type Logger as PinoLogger,
  type LevelWithSilent,
  pino,
} from 'pino';

/** A structured logger; children carry the names of their part. Events, not prose. */
export type Logger = Pick<
  PinoLogger,
  'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'isLevelEnabled'
> & { child(bindings: Readonly<Record<string, unknown>>): Logger };

export type LogLevel = LevelWithSilent;

export const logLevels: readonly LogLevel[] = Object.freeze([
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
  'silent',
]);

export interface LoggerOptions {
  readonly level: LogLevel;
  /**
   * Where lines go; standard error when absent, so that standard output stays the program's own.
   */
  readonly destination?: DestinationStream;
  /** What every line carries, such as the member's number. */
  readonly bindings?: Readonly<Record<string, unknown>>;
}

/** The root logger, made in a composition root; everything else gets a child of it. */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? pino.destination({ dest: 2, sync: true });
  return pino({ level: options.level, base: { ...options.bindings } }, destination);
}

/** For tests and programs that want no log. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
