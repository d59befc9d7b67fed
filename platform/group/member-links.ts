/**
 * The connections with the other members: where they are dialled, and why there is none.
 *
 * A host that is a name is looked up while its member is not connected, with pauses that grow: it
 * may have no address yet, when all start at once, or another one by now. Until it has one the
 * member is known to the native side without, so that it can connect itself.
 *
 * Thread: event loop.
 * Invariant: at most one name is looked up at a time, as each takes a thread that files need too.
 */
import { type CancelTimer, type Clock, type Logger, messageOf } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import type { MemberAddress } from './group-options.ts';
import type { MemberCore } from './member-core.ts';

export interface LinksOptions {
  readonly core: MemberCore;
  /** As configured, this one too. */
  readonly members: readonly MemberAddress[];
  /** See GroupOptions. */
  readonly lookUp: (host: string) => Promise<string>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onPeer: (node: number, up: boolean) => void;
}

interface Peer {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  /** Null: none is known. */
  address: string | null;
  up: boolean;
  /** It was said that its name has no address. */
  complained: boolean;
  pauseMs: number;
  cancel: CancelTimer | null;
}

export class MemberLinks {
  readonly #options: LinksOptions;
  readonly #peers = new Map<number, Peer>();
  readonly #problems = new Map<number, string>();
  #lookUps: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Why a member and this one are not connected, to be read by people: by node id. */
  get problems(): ReadonlyMap<number, string> {
    return this.#problems;
  }

  /** Connects with all of them, and again whenever a connection is lost. */
  begin(): void {
    const { core, members } = this.#options;
    core.listen({
      onPeer: (node, state, status) => {
        if (state === 'refused') this.#onRefused(node, core.statusName(status));
        else this.#onPeer(node, state === 'up');
      },
    });
    const fresh = { address: null, up: false, complained: false, cancel: null };
    for (const { id, host, port } of members) {
      if (id === core.nodeId) continue;
      const peer: Peer = { id, host, port, ...fresh, pauseMs: groupLimits.lookUpMs };
      this.#peers.set(id, peer);
      this.#begin(peer);
    }
  }

  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#peers.values()) cancel?.();
  }

  /** What the native side cannot read as an address is a name. */
  #begin(peer: Peer): void {
    if (this.#dialAt(peer, peer.host) === 'INVALID_ARGUMENT') {
      this.#dialAt(peer, '');
      this.#find(peer);
    }
  }

  #onPeer(node: number, up: boolean): void {
    this.#options.log.info({ node, state: up ? 'up' : 'down' }, 'member connection');
    this.#problems.delete(node);
    const peer = this.#peers.get(node);
    if (peer !== undefined) {
      peer.up = up;
      peer.pauseMs = groupLimits.lookUpMs;
      peer.cancel?.();
      this.#findLater(peer);
    }
    this.#options.onPeer(node, up);
  }

  #onRefused(node: number, reason: string): void {
    // While members start, some dial before they are known: that mends itself.
    const isUsual = reason === 'NOT_A_MEMBER';
    this.#options.log[isUsual ? 'info' : 'warn']({ node, reason }, 'a connection was refused');
    // Who has not proved anything may claim any number.
    if (isUsual || !this.#peers.has(node)) return;
    this.#problems.set(node, `refused as ${meanings[reason] ?? reason}`);
  }

  #find(peer: Peer): void {
    this.#lookUps = this.#lookUps.then(async () => {
      const address = this.#isWanted(peer) ? await this.#lookUp(peer) : null;
      if (!this.#isWanted(peer)) return;
      if (address !== null && address !== peer.address) this.#dialAt(peer, address);
      this.#findLater(peer);
    });
  }

  #isWanted({ up }: Peer): boolean {
    return !this.#closed && !up;
  }

  /** An address stays what it is. */
  #findLater(peer: Peer): void {
    if (!this.#isWanted(peer) || peer.address === peer.host) return;
    peer.cancel = this.#options.clock.after(peer.pauseMs, () => {
      this.#find(peer);
    });
    peer.pauseMs = Math.min(2 * peer.pauseMs, groupLimits.lookUpMsMax);
  }

  /** Null: the name has no address now. One that it had before may still be right. */
  async #lookUp(peer: Peer): Promise<string | null> {
    const { id: node, host } = peer;
    const { lookUp, log } = this.#options;
    try {
      const address = await lookUp(host);
      if (peer.complained) log.info({ node, host, address }, 'the name of a member has an address');
      if (peer.complained) this.#problems.delete(node);
      peer.complained = false;
      return address;
    } catch (caught) {
      const error = messageOf(caught);
      if (!peer.complained) {
        log.warn({ node, host, error }, 'the name of a member has no address; it is asked again');
      }
      peer.complained = true;
      if (!this.#problems.has(node)) this.#problems.set(node, `${host} has no address: ${error}`);
      return null;
    }
  }

  /** Empty: it is not known where. Returns the name of the status. */
  #dialAt(peer: Peer, address: string): string {
    const { core } = this.#options;
    const status = core.addon.addPeer(core.handle, peer.id, address, peer.port);
    if (status === 0 && address !== '') peer.address = address;
    return core.statusName(status);
  }
}

/** What a refusal means between two members, each of which may be the one that is wrong. */
const meanings: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: 'UNAUTHENTICATED: cluster.secret is another one there than here',
  WRONG_CLUSTER: 'WRONG_CLUSTER: cluster.name is another one there than here',
  WRONG_TRANSPORT: 'WRONG_TRANSPORT: cluster.transport is another one there than here',
  MEMLOCK_TOO_LOW: 'MEMLOCK_TOO_LOW: a shard needs more locked memory than this process may have',
  NEWER_FORMAT: 'NEWER_FORMAT: it runs another version of Freshet',
  INVALID_ARGUMENT: 'INVALID_ARGUMENT: another member, or no member at all, is at its address',
};
