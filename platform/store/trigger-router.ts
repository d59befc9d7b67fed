import {
  type Clock,
  decodeMeta,
  encodeMeta,
  FreshetError,
  type TriggerRequest,
  type TriggerResult,
} from '../base/mod.ts';
import type { Group, PeerMessages } from '../group/mod.ts';
import type { TriggerEvent, TriggerHandler } from './types.ts';

const triggerCall = 'store.trigger';

interface TriggerOptions {
  readonly shard: number;
  /** Which of so many members is the key's. */
  readonly placeOf: (members: number) => number;
  readonly timeoutMs: number;
}

/**
 * Sends trigger puts to members and hands those that arrive here to the handler; nothing is stored.
 */
export class TriggerRouter {
  readonly #messages: PeerMessages;
  readonly #group: Group;
  readonly #clock: Clock;
  readonly #me: number;
  #handler: TriggerHandler | null = null;

  constructor(messages: PeerMessages, group: Group, clock: Clock, me: number) {
    this.#messages = messages;
    this.#group = group;
    this.#clock = clock;
    this.#me = me;
    messages.handle(triggerCall, async (from, argument) => {
      const [key, shard, value, meta, eventTime] = argument as [
        string,
        number,
        Uint8Array,
        Uint8Array | null,
        number | null,
      ];
      const event = { key, shard, value, eventTime, from };
      return this.#take({ ...event, meta: meta === null ? {} : decodeMeta(meta) });
    });
  }

  /** Null: triggers that arrive are refused as UNSUPPORTED. */
  setHandler(handler: TriggerHandler | null): void {
    this.#handler = handler;
  }

  /** Resolves once every target has taken it in. */
  async send(request: TriggerRequest, options: TriggerOptions): Promise<TriggerResult> {
    const { key, value, eventTime, signal } = request;
    const targets = this.#targets(request, options);
    const argument = [key, options.shard, value, encodeMeta(request.meta), eventTime ?? null];
    const call = { timeoutMs: options.timeoutMs, signal: signal ?? null };
    const times = await Promise.all(
      targets.map((node) => this.#messages.call(node, triggerCall, argument, call)),
    );
    return { members: targets, time: Math.max(...(times as number[])) };
  }

  async #take(event: Omit<TriggerEvent, 'time'>): Promise<number> {
    if (this.#handler === null) {
      const message = `Member ${String(this.#me)} runs no lambdas that could take a trigger`;
      throw new FreshetError('UNSUPPORTED', message, { details: { key: event.key } });
    }
    const time = this.#clock.wallUs();
    await this.#handler({ ...event, time });
    return time;
  }

  #targets({ key, to = 'one' }: TriggerRequest, { shard, placeOf }: TriggerOptions): number[] {
    const members = this.#group.holders(shard);
    if (to !== 'one' && to !== 'all') {
      return this.#named(key, to);
    }
    const up = members.filter((node) => node === this.#me || this.#messages.up.has(node));
    if (up.length === 0) {
      const held = members.map(String).join(', ');
      throw new FreshetError('NOT_A_MEMBER', `No member that holds ${key} is connected (${held})`, {
        mend: this.#group.explain(),
        details: { key, shard },
      });
    }
    return to === 'all' ? up : [up[placeOf(up.length)] as number];
  }

  #named(key: string, nodes: readonly number[]): number[] {
    const unknown = nodes.find((node) => !this.#group.layout.members.includes(node));
    if (unknown !== undefined || nodes.length === 0) {
      const members = this.#group.layout.members.map(String).join(', ');
      const which = unknown === undefined ? 'no member' : `member ${String(unknown)}`;
      throw new FreshetError('INVALID_ARGUMENT', `The trigger of ${key} names ${which}`, {
        mend: `Name some of ${members}`,
      });
    }
    return [...new Set(nodes)];
  }
}
