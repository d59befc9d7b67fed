/**
 * Where the native doors of the members are, and what clients are told of them. A door listens at
 * any port, so members ask each other when they are connected; what was answered counts until the
 * connection ends, and no client waits for a member that does not answer.
 *
 * Thread: event loop.
 */
import {
  type CancelTimer,
  decodeMeta,
  FreshetError,
  type NativeAddress,
  type NativeDoorInfo,
  type NativeShard,
  type Random,
  toFreshetError,
} from './base/mod.ts';
import { readDoorTrigger } from './bridge/mod.ts';
import { clusterIdentity } from './cluster-identity.ts';
import { issueTicket } from './native-ticket.ts';
import type { Member } from './node.ts';
import { catalogFolders } from './store/mod.ts';

const addressCall = 'native.address';
/** Before a member that did not answer is asked again, growing from the first to the second. */
const askPauseMsMin = 250;
const askPauseMsMax = 30_000;

export class NativeDoors {
  readonly #member: Member;
  readonly #random: Random;
  readonly #mine: NativeAddress | null;
  readonly #others = new Map<number, NativeAddress>();
  readonly #waits = new Map<number, CancelTimer>();
  readonly #unfollow: () => void;
  #isClosed = false;

  /** `host`: where this member's native door listens, if it has one. */
  constructor(member: Member, host: string, random: Random) {
    const { core, messages, nodeId } = member;
    this.#member = member;
    this.#random = random;
    const port = core.addon.doorPort(core.handle);
    this.#mine = port === 0 ? null : { nodeId, host, port };
    messages.handle(addressCall, () => Promise.resolve(this.#mine));
    core.listen({
      onPeer: (node, state) => {
        if (state !== 'refused') this.#forget(node);
        if (state === 'up') this.#ask(node, askPauseMsMin);
      },
    });
    core.listen({
      onTrigger: (call, frame) => {
        void this.#takeTrigger(call, frame);
      },
    });
    for (const node of messages.up) this.#ask(node, askPauseMsMin);
    this.#unfollow = namePools(member);
  }

  /** Of a member's native door; null: it has none, or is not known yet. */
  addressOf(node: number): NativeAddress | null {
    return node === this.#member.nodeId ? this.#mine : (this.#others.get(node) ?? null);
  }

  /** What a client is told, with a ticket of its own. Throws UNSUPPORTED: there is no door here. */
  info(): NativeDoorInfo {
    if (this.#mine === null) {
      throw new FreshetError('UNSUPPORTED', 'This member has no native door', {
        mend: "Set serving.nativePort in the member's configuration, or connect with door: 'grpc'",
      });
    }
    const { config, clock, group, store } = this.#member;
    const identity = clusterIdentity(config.cluster);
    const known = config.members.flatMap(({ id }) => this.addressOf(id) ?? []);
    return {
      ticket: issueTicket({ identity, clock, random: this.#random }),
      view: group.status.view,
      members: known,
      shards: group.layout.shards.map(({ shard, persistent, delivery }): NativeShard => {
        const places = { members: group.holders(shard), senders: group.senders(shard) };
        return { shard, persistent, raw: delivery === 'raw', ...places };
      }),
      pools: store.objects.directory.list(),
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#unfollow();
    for (const cancel of this.#waits.values()) cancel();
    this.#waits.clear();
  }

  /** As one that came over gRPC for this member alone. */
  async #takeTrigger(call: number, frame: Buffer): Promise<void> {
    const { core, store, nodeId } = this.#member;
    const { statusNames } = core.addon;
    let status = 0;
    let time = 0;
    try {
      const { meta, eventTime, ...rest } = readDoorTrigger(frame);
      const extra = {
        ...(meta === null ? {} : { meta: decodeMeta(meta) }),
        ...(eventTime === null ? {} : { eventTime }),
      };
      ({ time } = await store.objects.triggerPut({ ...rest, ...extra, to: [nodeId] }));
    } catch (caught) {
      // Whatever it is, the client hears it in full when it asks over gRPC.
      status = Math.max(statusNames.indexOf(toFreshetError(caught).code), 0);
      if (status === 0) status = statusNames.indexOf('NOT_CURRENT');
    }
    if (!core.closed) core.addon.answerTrigger(core.handle, call, status, time);
  }

  #ask(node: number, pauseMs: number): void {
    const { messages, clock } = this.#member;
    messages.call(node, addressCall, null, { timeoutMs: null, signal: null }).then(
      (answer) => {
        if (answer !== null && messages.up.has(node)) {
          this.#others.set(node, answer as NativeAddress);
        }
      },
      () => {
        // Not there yet, or without doors; a member that is gone is asked once it is back.
        if (this.#isClosed || !messages.up.has(node) || this.#waits.has(node)) return;
        const next = Math.min(2 * pauseMs, askPauseMsMax);
        const ask = (): void => {
          this.#waits.delete(node);
          this.#ask(node, next);
        };
        this.#waits.set(node, clock.after(pauseMs, ask));
      },
    );
  }

  #forget(node: number): void {
    this.#others.delete(node);
    this.#waits.get(node)?.();
    this.#waits.delete(node);
  }
}

/**
 * Tells the native door which pools there are, and from now on which come and go: what clients
 * change has to lie in the pool that they name. Returns how to end it.
 */
function namePools({ core, store }: Member): () => void {
  const { catalog, objects } = store;
  const start = `${catalogFolders.pools}/`;
  const ids = new Map<string, number>();
  const tell = (key: string): void => {
    const before = ids.get(key);
    const name = key.slice(catalogFolders.pools.length);
    const isLeaving = objects.directory.leaving(name).some((pool) => pool.name === name);
    const entry = isLeaving ? null : catalog.entry(key);
    if (before !== undefined) core.addon.nameDoorPool(core.handle, before, null);
    ids.delete(key);
    if (entry === null) return;
    ids.set(key, entry.version);
    core.addon.nameDoorPool(core.handle, entry.version, name);
  };
  for (const key of catalog.keys(start)) tell(key);
  return catalog.onChange((key) => {
    if (key.startsWith(start)) tell(key);
  });
}
