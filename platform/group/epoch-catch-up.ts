/**
 * Epochs that ended beyond what this member received: the trim covers messages that it lacks. Their
 * end is fetched from a member at which they have ended, in place, and the view goes on.
 *
 * Thread: event loop.
 */
import { FreshetError, type Logger, messageOf } from '../base/mod.ts';
import { type EpochEndOptions, fillBefore } from './epoch-end.ts';
import { groupLimits } from './group-limits.ts';
import type { Position } from './group-events.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';
import type { ShardFiller } from './shard-filler.ts';
import { caughtUp, seeViews } from './view-calls.ts';
import { type CoreShard, type CoreView, nodesOf } from './view-codec.ts';

export interface CatchUpOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly filler: ShardFiller;
  readonly log: Logger;
  readonly position: (shard: number) => Promise<Position>;
  readonly pause: (delayMs: number) => Promise<void>;
  readonly ends: EpochEndOptions;
}

/** Rejects when no member could give the end of one of them. */
export async function catchUp(options: CatchUpOptions, signal: AbortSignal): Promise<void> {
  const seen = seeViews(options.core);
  const view = seen?.core.installed ?? null;
  for (const shard of seen?.behind ?? []) {
    const core = view?.shards.find((item) => item.shard === shard);
    if (view !== null && core !== undefined) await fillFromAny(options, view, core, signal);
  }
}

/** One after the other: some may be behind themselves, others may go. */
async function fillFromAny(
  options: CatchUpOptions,
  view: CoreView,
  core: CoreShard,
  signal: AbortSignal,
): Promise<void> {
  const { messages, log } = options;
  let failure: unknown = null;
  for (let round = 0; round < groupLimits.fillRounds; round++) {
    for (const donor of nodesOf(view, core)) {
      if (donor === options.core.nodeId || !messages.up.has(donor)) continue;
      try {
        await fillEnd(options, core, donor, signal);
        log.info({ shard: core.shard, epoch: core.epoch, donor }, 'fetched the end of an epoch');
        return;
      } catch (caught) {
        if (signal.aborted) throw caught;
        failure = caught;
        log.info({ shard: core.shard, donor, error: messageOf(caught) }, 'a donor failed');
      }
    }
    await options.pause(groupLimits.retryPauseMs);
  }
  const text = `No member could give the end of shard ${String(core.shard)}`;
  throw new FreshetError('INTERNAL', text, { cause: failure });
}

async function fillEnd(
  { core, ends, filler, position }: CatchUpOptions,
  { shard, epoch }: CoreShard,
  donor: number,
  signal: AbortSignal,
): Promise<void> {
  await fillBefore(ends, { shard, epoch: epoch + 1 }, donor, signal, async () => {
    const mine = await position(shard);
    // Where nothing of this epoch is here yet, all of it is lacking.
    const from = mine.epoch === epoch ? mine : { epoch, sequence: -1 };
    await filler.fillEnd({ shard, donor }, from, signal);
  });
  await caughtUp(core, shard, epoch);
}
