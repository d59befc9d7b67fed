/**
 * The connections with the other members, and why one of them was refused last.
 *
 * Thread: event loop.
 */
import type { Logger } from '../base/mod.ts';
import type { MemberAddress } from './group-options.ts';
import type { MemberCore } from './member-core.ts';

export interface LinksOptions {
  readonly core: MemberCore;
  /** As configured, this one too. */
  readonly members: readonly MemberAddress[];
  readonly log: Logger;
  readonly onPeer: (node: number, up: boolean) => void;
}

export class MemberLinks {
  readonly #options: LinksOptions;
  readonly #refusals = new Map<number, string>();

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Why a member and this one are not connected, to be read by people: by node id. */
  get refusals(): ReadonlyMap<number, string> {
    return this.#refusals;
  }

  /** Connects with all of them, and again whenever a connection is lost. */
  begin(): void {
    const { core, members, log, onPeer } = this.#options;
    core.listen({
      onPeer: (node, state, status) => {
        if (state === 'refused') {
          this.#onRefused(node, core.statusName(status));
          return;
        }
        log.info({ node, state }, 'member connection');
        this.#refusals.delete(node);
        onPeer(node, state === 'up');
      },
    });
    for (const { id, host, port } of members) {
      if (id === core.nodeId) continue;
      const status = core.addon.addPeer(core.handle, id, host, port);
      if (status < 0) throw core.error(status, `Connecting to member ${String(id)} at ${host}`);
    }
  }

  #onRefused(node: number, reason: string): void {
    // While members start, some dial before they are known: that mends itself.
    const isUsual = reason === 'NOT_A_MEMBER';
    this.#options.log[isUsual ? 'info' : 'warn']({ node, reason }, 'a connection was refused');
    // Who has not proved anything may claim any number.
    const isMember = this.#options.members.some(({ id }) => id === node);
    if (!isUsual && isMember) this.#refusals.set(node, meanings[reason] ?? reason);
  }
}

/** What a refusal means between two members, each of which may be the one that is wrong. */
const meanings: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: 'UNAUTHENTICATED: cluster.secret is another one there than here',
  WRONG_CLUSTER: 'WRONG_CLUSTER: cluster.name is another one there than here',
  NEWER_FORMAT: 'NEWER_FORMAT: it runs another version of Freshet',
  INVALID_ARGUMENT: 'INVALID_ARGUMENT: another member, or no member at all, is at its address',
};
