/**
 * Fetching the history of a shard up to the end of an epoch, from a member at which that has ended
 * and which may be further on.
 *
 * Thread: event loop.
 */
import { type Clock, FreshetError } from '../base/mod.ts';
import type { Position } from './group-events.ts';
import { groupLimits } from './group-limits.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';
import { endedEpoch, seeViews } from './view-calls.ts';

export interface EpochEndOptions {
  readonly messages: Pick<PeerMessages, 'call'>;
  /**
   * What came before an epoch can be fetched although the donor goes on in it: from a log, which
   * forgets nothing, and where delivery is raw, as no history is kept or agreed there. Members of a
   * raw epoch wait for nobody, so they have always gone on when somebody joins.
   */
  readonly mayGoOn: (shard: number) => boolean;
  /** Asks a member where its history ends; it answers once the epoch before the named one has. */
  readonly endedCall: string;
  readonly timeoutMs: number;
}

/** What was delivered before this epoch of the shard. */
export interface Before {
  readonly shard: number;
  readonly epoch: number;
}

/**
 * Runs `fill`, which fetches what the donor delivered before the epoch and nothing of it. Returns
 * where that ends; null: the donor has gone on, and cannot tell.
 *
 * Else what is in memory is forgotten as the donor goes on, so it has to stand still meanwhile:
 * throws NOT_CURRENT where it did not.
 */
export async function fillBefore(
  { messages, mayGoOn, endedCall, timeoutMs }: EpochEndOptions,
  { shard, epoch }: Before,
  donor: number,
  signal: AbortSignal,
  fill: () => Promise<void>,
): Promise<Position | null> {
  const ask = async (): Promise<Position> => {
    const told = await messages.call(donor, endedCall, [shard, epoch], { timeoutMs, signal });
    return positionIn(told);
  };
  const end = await ask();
  const hasGoneOn = end.epoch >= epoch;
  if (mayGoOn(shard)) {
    await fill();
    return hasGoneOn ? null : end;
  }
  if (!hasGoneOn) {
    await fill();
    const now = await ask();
    if (now.epoch === end.epoch && now.sequence === end.sequence) return end;
  }
  const text = `Member ${String(donor)} has gone on in epoch ${String(epoch)}, and forgets`;
  throw new FreshetError('NOT_CURRENT', text);
}

export interface AnswerOptions {
  readonly core: MemberCore;
  readonly clock: Clock;
  readonly position: (shard: number) => Promise<Position>;
  readonly pause: (delayMs: number) => Promise<void>;
  readonly isClosed: () => boolean;
}

/**
 * The other side: answers once the epoch before the named one has ended here, so that nothing is
 * added to it, where the history ends. NOT_A_MEMBER where this member is filled itself; TIMEOUT.
 */
export async function answerEnded(
  { core, clock, position, pause, isClosed }: AnswerOptions,
  argument: unknown,
): Promise<Position> {
  const [shard = 0, epoch = 0] = Array.isArray(argument) ? (argument as number[]) : [];
  const deadline = clock.monotonicMs() + groupLimits.fillTimeoutMs;
  while (!isClosed() && clock.monotonicMs() < deadline) {
    if (endedEpoch(core, shard) + 1 >= epoch) return position(shard);
    if (seeViews(core)?.core.installed === null) {
      throw new FreshetError('NOT_A_MEMBER', 'This member has begun anew and has no epoch to end');
    }
    await pause(groupLimits.endedPollMs);
  }
  throw new FreshetError('TIMEOUT', `The epoch before ${String(epoch)} did not end`);
}

function positionIn(value: unknown): Position {
  const { shard, epoch, sequence, version, digest } = (value ?? {}) as Partial<Position>;
  const whole = [shard, epoch, sequence, version].every((item) => Number.isSafeInteger(item));
  if (!whole || typeof digest !== 'string') {
    throw new FreshetError('INTERNAL', 'A member did not tell where its history ends');
  }
  return value as Position;
}
