import type { Clock, PutOutcome, PutResult } from '../base/mod.ts';
import type { Group, MemberCore, ShardLayout } from '../group/mod.ts';
import { LocalShard } from './local-shard.ts';
import type { RemoteShard } from './remote-shard.ts';
import type { ShardCallLimits, ShardChange } from './shard-access.ts';

/** A shard that this member holds and does not send in: it reads here and writes at a sender. */
export class SilentShard extends LocalShard {
  readonly #senders: RemoteShard;

  constructor(
    layout: ShardLayout,
    core: MemberCore,
    group: Group,
    clock: Clock,
    senders: RemoteShard,
  ) {
    super(layout, core, group, clock);
    this.#senders = senders;
  }

  override async put(change: ShardChange, call: ShardCallLimits): Promise<PutResult> {
    return this.#senders.put(change, call);
  }

  override async putMany(
    changes: readonly ShardChange[],
    call: ShardCallLimits,
  ): Promise<readonly PutOutcome[]> {
    return this.#senders.putMany(changes, call);
  }

  override begin(): boolean {
    return false;
  }
}
