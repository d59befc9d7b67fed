import { styleText } from 'node:util';
import { errorCodes, type FreshetError } from '../base/mod.ts';
import type { ObjectRecord, PoolInfo, PutResult } from '../client/mod.ts';

/** Where results and messages go; results on stdout, everything else on stderr. */
export interface Sinks {
  readonly out: (text: string | Uint8Array) => void;
  readonly err: (text: string) => void;
  readonly isTerminal: boolean;
}

/** Longest value that is shown as text beside its object. */
const shownBytesMax = 400;

/** Prints results: for people by default, one JSON document per line with `--json`. */
export class Output {
  readonly #sinks: Sinks;
  readonly isJson: boolean;

  constructor(sinks: Sinks, isJson: boolean) {
    this.#sinks = sinks;
    this.isJson = isJson;
  }

  line(text: string): void {
    this.#sinks.out(`${text}\n`);
  }

  note(text: string): void {
    this.#sinks.err(`${text}\n`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  bytes(value: Uint8Array): void {
    this.#sinks.out(value);
  }

  /** `people` for people, `value` for programs. */
  either(value: unknown, people: () => string): void {
    if (this.isJson) this.json(value);
    else this.line(people());
  }

  put(key: string, result: PutResult): void {
    // With ack none nothing is known yet, not even a version.
    const place = result.version === 0 ? 'sent' : `${versionOf(result)} at ${timeOf(result.time)}`;
    this.either({ key, ...result }, () => `${key} ${place}`);
  }

  object(object: ObjectRecord): void {
    this.either(objectJson(object), () => {
      const { key, size, removed, eventTime } = object;
      const event = eventTime === null ? '' : `  of ${timeOf(eventTime)}`;
      const value = removed ? 'removed' : (shownText(object) ?? `${String(size)} bytes`);
      return `${versionOf(object).padEnd(10)} ${timeOf(object.time)}${event}  ${key}  ${value}`;
    });
  }

  pool(pool: PoolInfo): void {
    this.either(pool, () =>
      [pool.name, pool.kind, `${String(pool.shards.length)} shards`, pool.schema].join('  '),
    );
  }

  error(error: FreshetError): void {
    if (this.isJson) {
      this.#sinks.err(`${JSON.stringify({ error })}\n`);
      return;
    }
    const code = this.#sinks.isTerminal ? styleText('red', error.code) : error.code;
    this.#sinks.err(`${code}: ${error.message}\n  ${error.mend}\n`);
  }

  /** A whole screen, in place of the one before; without a terminal one after the other. */
  page(lines: readonly string[]): void {
    const clear = this.#sinks.isTerminal ? '\u001b[H\u001b[2J' : '';
    this.line(`${clear}${lines.join('\n')}`);
  }

  /** A line that replaces itself on a terminal and is left out elsewhere. */
  progress(text: string): void {
    if (this.#sinks.isTerminal) this.#sinks.err(`\r\u001b[K${text}`);
  }

  endProgress(): void {
    if (this.#sinks.isTerminal) this.#sinks.err('\r\u001b[K');
  }
}

/** Exit codes: 0 well, 1 a failure of any kind, 2 wrong usage, 3 try again later. */
export function exitCodeOf(error: FreshetError): number {
  if (errorCodes[error.code].retryable) return 3;
  return error.code === 'INVALID_ARGUMENT' ? 2 : 1;
}

/** ISO 8601 to the microsecond, so that `--at` finds what was shown. */
export function timeOf(micros: number): string {
  const millis = Math.floor(micros / 1000);
  const rest = String(micros - millis * 1000).padStart(3, '0');
  return new Date(millis).toISOString().replace('Z', `${rest}Z`);
}

function versionOf({
  epoch,
  version,
}: {
  readonly epoch: number;
  readonly version: number;
}): string {
  return `v${String(version)}/${String(epoch)}`;
}

/** An object as JSON: a value that is JSON or text as it is, other bytes in base64. */
export function objectJson(object: ObjectRecord): unknown {
  const { value, ...rest } = object;
  if (value === null) return { ...rest, value: null };
  const text = textOf(value);
  if (text === null)
    return { ...rest, value: Buffer.from(value).toString('base64'), encoding: 'base64' };
  if (!isJsonType(object)) return { ...rest, value: text };
  try {
    return { ...rest, value: JSON.parse(text) as unknown };
  } catch {
    // What says that it is JSON and is not is shown as the text it is.
    return { ...rest, value: text };
  }
}

function isJsonType({ meta }: ObjectRecord): boolean {
  return (meta['content-type'] ?? '').startsWith('application/json');
}

function shownText({ value }: ObjectRecord): string | null {
  if (value === null || value.byteLength > shownBytesMax) return null;
  const text = textOf(value);
  return text === null || /\p{Cc}/u.test(text.replaceAll(/[\n\t]/g, '')) ? null : text;
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Not UTF-8: the caller shows bytes instead.
    return null;
  }
}
