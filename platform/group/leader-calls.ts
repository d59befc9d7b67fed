/**
 * What people ask of the layout, at whichever member: the one that leads the view decides, so it is
 * passed on to that one.
 *
 * Thread: event loop.
 */
import { FreshetError, type LayoutChange, type Logger } from '../base/mod.ts';
import type { GroupEvent } from './group-events.ts';
import { groupLimits } from './group-limits.ts';
import type { GroupMachine } from './group-machine.ts';
import type { Layout } from './layout.ts';
import { type LayoutRequest, parseLayoutRequest, takesAway } from './layout-change.ts';
import type { Tenants } from './machine-types.ts';
import type { PeerMessages } from './peer-messages.ts';
import { parseMove, type ShardMove } from './shard-moves.ts';

export interface LeaderCallsOptions {
  readonly machine: GroupMachine;
  readonly messages: PeerMessages;
  readonly nodeId: number;
  /** Bytes of each ring that fit this member's budget. Throws INVALID_CONFIG: none do. */
  readonly ringSizeOf: (layout: Layout) => number;
  readonly tenants: Tenants;
  readonly log: Logger;
  readonly enter: (event: GroupEvent) => void;
}

const moveCall = 'group.move';
const layoutCall = 'group.layout';

export class LeaderCalls {
  readonly #options: LeaderCallsOptions;

  constructor(options: LeaderCallsOptions) {
    this.#options = options;
    options.messages.handle(moveCall, async (_from, move) => {
      await this.move(parseMove(move));
      return null;
    });
    options.messages.handle(layoutCall, async (_from, request) =>
      this.changeLayout(parseLayoutRequest(request)),
    );
  }

  /**
   * Has the member that leads move a whole shard to another member; resolves once that is begun.
   * Rejects INVALID_ARGUMENT, which says what to mend; NOT_CURRENT: nobody leads at the moment.
   */
  async move(move: ShardMove): Promise<void> {
    const { machine, log, enter } = this.#options;
    if (!this.#isForMe()) {
      await this.#askLeader(moveCall, move);
      return;
    }
    const refusal = machine.moveRefusal(move);
    if (refusal !== null) throw refusal;
    log.info({ ...move }, 'a shard is to be moved');
    enter({ type: 'move', move });
  }

  /**
   * Has the member that leads bring another layout into force; resolves, with what it changes, once
   * that is begun, or at once where it is only asked for (`dryRun`) or changes nothing. The view
   * that follows has the new version; members come to shards and go after that, view by view, as
   * `Group.wanted` says. Asked for again it does no harm. Rejects INVALID_CONFIG, which says what to
   * mend; CONDITION_FAILED: the layout is another one than expected; NOT_CURRENT: nobody leads, or
   * another change is on its way; where a subgroup goes, what a read of the catalog rejects, too.
   */
  async changeLayout(request: LayoutRequest): Promise<LayoutChange> {
    const { machine, ringSizeOf, tenants, log, enter } = this.#options;
    if (this.#isForMe() && takesAway(machine.layout, request)) await tenants.catchUp();
    if (!this.#isForMe()) {
      return (await this.#askLeader(layoutCall, request)) as LayoutChange;
    }
    const { change, given } = machine.planLayout(request, ringSizeOf);
    if (given !== null && !request.dryRun) {
      log.info({ version: change.to, changes: change.lines }, 'the layout is to be changed');
      enter({ type: 'layout', layout: given });
    }
    return change;
  }

  /** False: another member leads. Throws NOT_CURRENT: this one does, but not at the moment. */
  #isForMe(): boolean {
    const { machine, nodeId } = this.#options;
    if (machine.status.leader !== nodeId) return false;
    if (machine.leads) return true;
    const text = `Member ${String(nodeId)} does not lead a view at the moment`;
    throw new FreshetError('NOT_CURRENT', text, { mend: 'Try again in a moment' });
  }

  #askLeader(name: string, argument: unknown): Promise<unknown> {
    const { machine, messages } = this.#options;
    const call = { timeoutMs: groupLimits.callTimeoutMs, signal: null };
    return messages.call(machine.status.leader, name, argument, call);
  }
}
