/**
 * The channels of one member: opens them, carries their messages, brings them the views.
 *
 * Thread: event loop.
 */
import { checkPoolName, FreshetError, joinKey, toFreshetError } from '../base/mod.ts';
import { Abcast } from './abcast.ts';
import { CastMachine } from './cast-machine.ts';
import type { CastMessage } from './cast-messages.ts';
import { Channel, type ChannelEvent } from './channel.ts';
import { ChannelListener } from './channel-listener.ts';
import { PeerOutbox } from './peer-outbox.ts';
import type { HostOptions } from './replicated-host.ts';
import { replicatedLimits } from './replicated-limits.ts';
import { type ViewEvent, watchViews } from './view-events.ts';

/** Alike at all members, but for the timeout and the handler. */
export interface ChannelSettings<Message> {
  /** Names the channel's pool: `/tower/radio`. */
  readonly name: string;
  /** A volatile one, whose members the channel connects. Default: `volatile`. */
  readonly subgroup?: string;
  /** Place of the shard in its subgroup. Default 0. */
  readonly shard?: number;
  /** Of everything that waits for other members. Default 10 000. */
  readonly timeoutMs?: number;
  /**
   * Takes events in, one at a time: delivered means that it has returned, or thrown (which is
   * logged).
   */
  readonly onEvent: (event: ChannelEvent<Message>) => void;
}

const method = 'channel.messages';

/** A channel at this member, whether a program here has opened it or not. */
interface HeldChannel {
  readonly channel: Channel<unknown>;
  readonly listener: ChannelListener<unknown>;
  readonly shard: number;
  isOpen: boolean;
  /** Null: its pool is not there yet. */
  views: ReturnType<typeof watchViews> | null;
}

export class ChannelHost {
  readonly #options: HostOptions;
  readonly #run: string;
  readonly #channels = new Map<string, HeldChannel>();
  #closed = false;

  constructor(options: HostOptions, run: string) {
    this.#options = options;
    this.#run = run;
    options.messages.handle(method, async (from, argument) => {
      const [name, messages] = argument as [string, readonly CastMessage[]];
      const held = this.#channels.get(name) ?? this.#attend(name, messages);
      if (held === null) {
        throw new FreshetError('NOT_A_MEMBER', `The channel ${name} is not open here`);
      }
      for (const message of messages) held.channel.onMessage(from, message);
      return Promise.resolve(null);
    });
  }

  /**
   * Opens a channel at this member of its shard; resolves once all members of a view have opened it
   * and are in. Where it runs already this member is in its views before, and opening begins with
   * the view that there is. Events may come before. Members that open several open them in the same
   * order, or at once. Rejects INVALID_ARGUMENT, INVALID_POOL, POOL_EXISTS, NOT_A_MEMBER (the shard
   * is not held here), TIMEOUT (saying who has not opened it).
   */
  async open<Message>(settings: ChannelSettings<Message>): Promise<Channel<Message>> {
    const { subgroup = 'volatile', shard: index = 0 } = settings;
    const name = checkPoolName(settings.name);
    const shard = this.#shardOf(name, subgroup, index);
    const held = this.#channels.get(name) ?? this.#hold(name, shard);
    const channel = held.channel as Channel<Message>;
    held.isOpen = true;
    channel.setTimeout(settings.timeoutMs ?? replicatedLimits.callTimeoutMsDefault);
    const onEvent = settings.onEvent as (event: ChannelEvent<unknown>) => void;
    held.listener.begin(onEvent, channel.hasBegun);
    try {
      const locations = { [`${name}/abcast`]: index };
      const pool = { name, kind: 'volatile', subgroup, schema: 'raw', locations } as const;
      await this.#options.store.objects.createPool(pool);
      this.#begin(held);
      await channel.flush();
    } catch (caught) {
      this.#channels.delete(name);
      end(held);
      throw caught;
    }
    return channel;
  }

  /**
   * A channel that runs among the others goes on without waiting for a program here to open it: its
   * messages are dropped until then. One that has never run waits for all, so that nobody misses
   * its beginning.
   */
  #attend(name: string, messages: readonly CastMessage[]): HeldChannel | null {
    const { store, group, nodeId } = this.#options;
    const runs = messages.some((message) => message.type !== 'flush' || message.from > 0);
    const pool = runs && !this.#closed ? store.objects.directory.get(name) : null;
    if (pool === null) return null;
    const shard = store.objects.placement.shardOf(pool, joinKey(name, 'abcast'));
    if (!group.layout.shard(shard).members.includes(nodeId)) return null;
    const held = this.#hold(name, shard);
    this.#begin(held);
    return held;
  }

  #hold(name: string, shard: number): HeldChannel {
    const { nodeId, clock, log } = this.#options;
    const outboxes = new Map<number, PeerOutbox>();
    const listener = new ChannelListener<unknown>((caught) => {
      log.error({ channel: name, error: toFreshetError(caught).toJSON() }, 'onEvent threw');
    });
    const channel = new Channel<unknown>({
      name,
      nodeId,
      timeoutMs: replicatedLimits.callTimeoutMsDefault,
      clock,
      machine: new CastMachine(nodeId),
      onEvent: (event) => listener.onEvent(event),
      send: (to, message) => {
        const isCurrent = (): boolean => this.#channels.get(name) === held;
        const outbox = outboxes.get(to) ?? this.#outbox(name, shard, to, isCurrent);
        outboxes.set(to, outbox);
        outbox.push(message);
      },
    });
    const held: HeldChannel = { channel, listener, shard, isOpen: false, views: null };
    this.#channels.set(name, held);
    return held;
  }

  /** Once its pool is there. */
  #begin(held: HeldChannel): void {
    const { channel, listener, shard } = held;
    if (channel.hasBegun) return;
    const { nodeId, group, store, clock, log } = this.#options;
    const abcast = new Abcast({
      name: channel.name,
      shard,
      node: nodeId,
      run: this.#run,
      store,
      clock,
      log,
      onMessage: (from, version, bytes) => channel.onAbcast(from, version, bytes),
      onGap: () => listener.onEvent({ type: 'gap' }),
    });
    channel.begin(abcast);
    held.views = watchViews(group, nodeId, shard);
    if (this.#closed) end(held);
    void followViews(channel, held.views);
  }

  close(): void {
    this.#closed = true;
    for (const held of this.#channels.values()) end(held);
  }

  #outbox(name: string, shard: number, to: number, isCurrent: () => boolean): PeerOutbox {
    const { messages, group, clock } = this.#options;
    return new PeerOutbox({
      clock,
      send: (some) => messages.call(to, method, [name, some], { timeoutMs: null, signal: null }),
      isWanted: () => !this.#closed && isCurrent() && group.holders(shard).includes(to),
    });
  }

  #shardOf(name: string, subgroup: string, index: number): number {
    const { group, nodeId } = this.#options;
    if (this.#channels.get(name)?.isOpen === true) {
      throw new FreshetError('INVALID_ARGUMENT', `The channel ${name} is open here already`, {
        mend: 'Open it once and share it',
      });
    }
    const { shards } = group.layout.subgroup(subgroup);
    const shard = shards[index];
    if (shard === undefined) {
      const message = `${name}: the subgroup ${subgroup} has no shard ${String(index)}`;
      throw new FreshetError('INVALID_ARGUMENT', message, {
        mend: `Name one from 0 to ${String(shards.length - 1)}`,
      });
    }
    const held = group.holders(shard.shard);
    if (!held.includes(nodeId)) {
      const members = held.map(String).join(', ');
      throw new FreshetError('NOT_A_MEMBER', `${name} connects members ${members}`, {
        mend: 'Open it there, or name a shard that this member holds',
      });
    }
    return shard.shard;
  }
}

/** Takes no part in views from now on, and hears of none. */
function end({ channel, views }: HeldChannel): void {
  channel.close();
  void views?.return?.();
}

async function followViews(
  channel: Channel<unknown>,
  views: AsyncIterable<ViewEvent>,
): Promise<void> {
  for await (const { number, members } of views) channel.onView(number, members);
}
