import { createHash } from 'node:crypto';
import {
  type Clock,
  type FreshetError,
  isFreshetError,
  type Logger,
  messageOf,
} from '../base/mod.ts';
import { type Database, json, type Pool } from '../client/mod.ts';
import { deadLetterPool } from './catalog.ts';
import type { LambdaNode } from './pipeline.ts';
import type { WorkEvent } from './worker-protocol.ts';

/** Why an event was given up, with what is needed to run it again. */
export interface DeadLetter {
  readonly pipeline: string;
  readonly prefix: string;
  readonly lambda: string;
  readonly version: string;
  readonly error: ReturnType<FreshetError['toJSON']>;
  readonly input: {
    readonly kind: WorkEvent['kind'];
    readonly key: string;
    readonly shard: number;
    readonly epoch: number | null;
    readonly version: number | null;
    readonly time: number;
    readonly eventTime: number | null;
    readonly meta: Readonly<Record<string, string>>;
    /** Base64; of a trigger only, as nothing else keeps its bytes. null if over the limit. */
    readonly value: string | null;
  };
  readonly member: number;
  readonly at: number;
}

/** Bytes of a trigger's value that a dead letter keeps. */
const keptValueBytesMax = 8 * 1024 * 1024;
const retryMs = 500;
/** Of an error's message; a lambda may throw anything. */
const messageUnitsMax = 8192;

/** Writes dead letters to their pool, again and again until it takes them or the member stops. */
export class DeadLetters {
  readonly #pool: Pool<DeadLetter>;
  readonly #member: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  #closed = false;

  constructor(db: Database, member: number, clock: Clock, log: Logger) {
    this.#pool = db.pool<DeadLetter>(deadLetterPool, json<DeadLetter>());
    this.#member = member;
    this.#clock = clock;
    this.#log = log;
  }

  /** False: it was not written before the end, and is still to be. */
  async write(
    pipeline: string,
    node: LambdaNode,
    item: WorkEvent,
    error: FreshetError,
  ): Promise<boolean> {
    const letter = this.#letter(pipeline, node, item, error);
    this.#log.warn(
      { pipeline, lambda: node.lambda, key: item.key, error: letter.error },
      'dead letter',
    );
    // A lambda on the letters that fails would write one for each, without end.
    if (item.key.startsWith(`${deadLetterPool}/`)) return true;
    const name = `${pipeline}/${node.lambda.replaceAll('/', '.')}/${identity(item)}`;
    while (!this.#closed) {
      try {
        await this.#pool.put(name, letter);
        return true;
      } catch (failure) {
        if (isFreshetError(failure) && !failure.retryable) {
          this.#log.error({ name, error: messageOf(failure) }, 'dead letter not written');
          return failure.code !== 'CLOSED';
        }
        await new Promise<void>((resolve) => {
          this.#clock.after(retryMs, resolve);
        });
      }
    }
    return false;
  }

  close(): void {
    this.#closed = true;
  }

  #letter(pipeline: string, node: LambdaNode, item: WorkEvent, error: FreshetError): DeadLetter {
    const { kind, key, shard, epoch, version, time, eventTime, meta, bytes } = item;
    const isKept = version === null && bytes !== null && bytes.byteLength <= keptValueBytesMax;
    const value = isKept ? Buffer.from(bytes).toString('base64') : null;
    return {
      pipeline,
      prefix: node.prefix,
      lambda: node.lambda,
      version: node.version,
      error: shortened(error.toJSON()),
      input: { kind, key, shard, epoch, version, time, eventTime, meta, value },
      member: this.#member,
      at: this.#clock.wallUs(),
    };
  }
}

function shortened<E extends { readonly message: string }>(error: E): E {
  const { message } = error;
  if (message.length <= messageUnitsMax) return error;
  return { ...error, message: `${message.slice(0, messageUnitsMax)}…` };
}

/** The same event gives the same name, so that one given up twice is one letter. */
function identity({ key, shard, epoch, version, time }: WorkEvent): string {
  if (version !== null) return `${String(shard)}-${String(epoch)}-${String(version)}`;
  return `t-${String(time)}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`;
}
