/**
 * Main file of a lambda's worker thread: loads the bundle, runs batches, answers.
 * Composition root of the thread. The user's code runs here and nowhere else.
 */
import { readFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { FreshetError, toFreshetError } from '../base/mod.ts';
import { Database } from '../client/mod.ts';
import * as udl from '../../udl/mod.ts';
import { loadBundle } from './load-bundle.ts';
import { NativeGate } from './native-gate.ts';
import { ValueReader } from './value-reader.ts';
import { WorkerDoor } from './worker-door.ts';
import type { FromWorker, ThreadStart, ToWorker, WorkItem } from './worker-protocol.ts';

type AnyLambda = udl.Lambda<unknown, udl.Outputs, never>;
type RunMessage = Extract<ToWorker, { type: 'run' }>;
type RunAnswer = Extract<FromWorker, { type: 'done' | 'threw' }>;

class WorkerMain {
  readonly #start: ThreadStart;
  readonly #gate: NativeGate;
  readonly #post: (message: FromWorker, transfer?: ArrayBuffer[]) => void;
  readonly #door: WorkerDoor;
  readonly #abort = new AbortController();
  readonly #values: ValueReader;
  #lambda: AnyLambda | null = null;
  #state: unknown = null;

  constructor(start: ThreadStart, post: (message: FromWorker, transfer?: ArrayBuffer[]) => void) {
    this.#start = start;
    this.#post = post;
    this.#gate = new NativeGate(start.gate);
    this.#values = new ValueReader(start.memberKey, this.#gate);
    this.#door = new WorkerDoor(post, this.#values);
  }

  async load(): Promise<void> {
    try {
      const { code, lambda } = this.#start;
      this.#lambda = loadBundle(await readFile(code, 'utf8'), lambda, this.#gate);
      this.#state = await this.#lambda.setup(this.#setupContext());
      this.#post({ type: 'ready' });
    } catch (error) {
      this.#post({ type: 'broken', error: toFreshetError(error, 'LAMBDA_FAILED').toJSON() });
    }
  }

  async onMessage(message: ToWorker): Promise<void> {
    switch (message.type) {
      case 'run':
        return this.#run(message);
      case 'answer':
        this.#door.onAnswer(message);
        return;
      case 'abort':
        this.#abort.abort();
        return;
      case 'stop':
        await this.#lambda?.teardown(this.#state);
        // What the lambda left open would keep the thread; nothing of it runs now.
        process.exit(0);
    }
  }

  async #run(message: RunMessage): Promise<void> {
    const lambda = this.#lambda;
    if (lambda === null) return;
    const beganAt = performance.timeOrigin + performance.now();
    let answer = await this.#try(lambda, message, beganAt, true);
    // Somebody wrote into a value that others read: once more, with copies of its own.
    if (!this.#values.endRun()) answer = await this.#try(lambda, message, beganAt, false);
    const emits = answer.type === 'done' ? answer.outcomes.flatMap((outcome) => outcome.emits) : [];
    this.#post(answer, [...new Set(emits.flatMap(({ bytes }) => ownBuffer(bytes)))]);
  }

  async #try(
    lambda: AnyLambda,
    { id, items, rank, shardSize }: RunMessage,
    beganAt: number,
    shares: boolean,
  ): Promise<RunAnswer> {
    this.#values.beginRun(shares);
    try {
      const context = { ...this.#setupContext(), state: this.#state, rank, shardSize };
      const outcomes = await udl.runBatch(lambda, this.#arrivals(items), context as never);
      return {
        type: 'done',
        id,
        beganAt,
        outcomes: outcomes.map(({ emits, error }) => ({ emits, error: error?.toJSON() ?? null })),
        offHeapBytes: getHeapStatistics().external_memory,
      };
    } catch (error) {
      const coded = toFreshetError(error, 'LAMBDA_FAILED').toJSON();
      return { type: 'threw', id, beganAt, error: coded };
    }
  }

  #arrivals(items: readonly WorkItem[]): readonly udl.RawEvent[] {
    return items.map((item) => {
      const bytes = this.#values.bytesOf(item);
      if (bytes === null) {
        throw new FreshetError(
          'COMPACTED',
          `Version ${String(item.version)} of '${item.key}' was pruned before its lambda could run`,
        );
      }
      const place = item.raw === true ? { version: null, epoch: null } : {};
      return { ...item, ...place, bytes };
    });
  }

  #setupContext(): udl.SetupContext<never> {
    const { config, node, assets } = this.#start;
    const log =
      (level: 'debug' | 'info' | 'warn' | 'error') =>
      (fields: Readonly<Record<string, unknown>>, message: string) => {
        this.#post({ type: 'log', level, fields, message });
      };
    return {
      config: config as never,
      db: new Database(this.#door.asDoor()),
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      signal: this.#abort.signal,
      node,
      asset: (name) => {
        const file = assets[name];
        if (file !== undefined) return file;
        throw new FreshetError('INVALID_PIPELINE', `The pipeline brings no asset named '${name}'`);
      },
    };
  }
}

/** The buffer behind `bytes` if nothing else can lie in it. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer[] {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength ? [buffer] : [];
}

const port = parentPort;
if (port !== null) {
  const start = workerData as ThreadStart;
  if (start.niceness > 0) setPriority(start.niceness);
  const main = new WorkerMain(start, (message, transfer) => {
    port.postMessage(message, transfer ?? []);
  });
  port.on('message', (message: ToWorker) => {
    main.onMessage(message).catch((error: unknown) => {
      port.postMessage({
        type: 'broken',
        error: toFreshetError(error).toJSON(),
      } satisfies FromWorker);
    });
  });
  void main.load();
}
