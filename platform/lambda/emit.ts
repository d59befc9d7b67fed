/**
 * Sends what events emit. A view that changes under an emit, a member that is lost or a lambda
 * whose queue is full is no reason to give its event up: it is sent again, until the emit's time is
 * over.
 *
 * Thread: event loop.
 * Invariant: a put has one stamp for all its tries, so it is made once however often it is sent. A
 * trigger has none: it may be run twice, as what is behind the cursor may after a crash.
 */
import {
  type Clock,
  type ErrorCode,
  FreshetError,
  outageCodes,
  type Random,
  RequestStamps,
  toFreshetError,
} from '../base/mod.ts';
import type { Door } from '../client/mod.ts';
import type { Edge, LambdaNode } from './pipeline.ts';
import type { EmittedBytes } from './worker-protocol.ts';

/** How long one emit may be refused for what passes, before its event fails. */
const emitTimeoutMs = 30_000;
/** Between two tries, growing from the first to the second: many emits may wait for one lambda. */
const pauseMsMin = 50;
const pauseMsMax = 1000;

/** OVERLOADED: the lambda behind the edge has no room at the moment. */
const sentAgain: ReadonlySet<ErrorCode> = new Set([...outageCodes, 'OVERLOADED']);

export class Emitter {
  readonly #door: Door;
  readonly #clock: Clock;
  readonly #stamps: RequestStamps;

  constructor(door: Door, clock: Clock, random: Random) {
    this.#door = door;
    this.#clock = clock;
    this.#stamps = new RequestStamps(random, clock);
  }

  /** Along the declared edges; resolves when all that one event emitted is answered. */
  async send(
    node: LambdaNode,
    emits: readonly EmittedBytes[],
    source: { readonly time: number },
  ): Promise<void> {
    await Promise.all(
      emits.flatMap((emitted) =>
        edgesOf(node, emitted.output).map(async (edge) => this.#sendOne(edge, emitted, source)),
      ),
    );
  }

  async #sendOne(
    edge: Edge,
    { name, bytes, eventTime, meta }: EmittedBytes,
    source: { readonly time: number },
  ): Promise<void> {
    const key = `${edge.to}/${name}`;
    // The moment the first input came in travels along, so that a result tells how old it is.
    const origin = meta['origin-time'] ?? String(source.time);
    const common = { key, value: bytes, meta: { ...meta, 'origin-time': origin } };
    const times = eventTime === null ? {} : { eventTime };
    if (edge.by === 'triggerPut') {
      await this.#insist((timeoutMs) => this.#door.triggerPut({ ...common, ...times, timeoutMs }));
      return;
    }
    const session = this.#stamps.take();
    try {
      await this.#insist((timeoutMs) =>
        this.#door.put({ ...common, ...times, session, timeoutMs }),
      );
    } finally {
      this.#stamps.done(session);
    }
  }

  async #insist(send: (timeoutMs: number) => Promise<unknown>): Promise<void> {
    const deadline = this.#clock.monotonicMs() + emitTimeoutMs;
    for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
      try {
        await send(Math.max(1, deadline - this.#clock.monotonicMs()));
        return;
      } catch (caught) {
        const error = toFreshetError(caught);
        const isOver = this.#clock.monotonicMs() + pauseMs >= deadline;
        if (isOver || !sentAgain.has(error.code)) throw error;
        await new Promise<void>((resolve) => {
          this.#clock.after(pauseMs, resolve);
        });
      }
    }
  }
}

function edgesOf(node: LambdaNode, output: string): readonly Edge[] {
  const edges = node.edges[output];
  if (edges !== undefined) return edges;
  throw new FreshetError(
    'UNDECLARED_EDGE',
    `The lambda '${node.lambda}' at '${node.prefix}' emits to '${output}', for which the pipeline has no edge`,
  );
}
