/**
 * Compares this member's clock with those of the others it is connected with, by calls to and fro,
 * and keeps it from running away:
 *
 *  - in a view it is held back while it is too far ahead of the middle of the view's clocks
 *    (ClockOffsets.excessUs), so that times which it stamps do not take those of all with them;
 *  - without a view, and with a clock that the others find off, it is read from the machine anew,
 *    which may have been set since; so is whoever was paused or asleep.
 *
 * Otherwise a step of the machine's clock is reported, not followed.
 *
 * Thread: event loop.
 */
import type { CancelTimer, Clock, Logger } from '../base/mod.ts';
import type { ClockOffset } from './clock-offsets.ts';
import type { GroupEvent } from './group-events.ts';
import { groupLimits } from './group-limits.ts';
import type { GroupMachine } from './group-machine.ts';
import { type ClockReading, MemberClock } from './member-clock.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';

const clockCall = 'group.clock';

export interface ClockWatchOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly maxClockSkewMs: number;
  readonly machine: () => Pick<GroupMachine, 'clocks' | 'mayReadClock'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly enter: (event: GroupEvent) => void;
}

/** What is told of a member's clocks. */
export interface ClockReport {
  /** How far other members' clocks are ahead of this one's, µs. */
  readonly offsets: readonly { readonly node: number; readonly aheadUs: number }[];
  /** The machine's clock is so far ahead of what this member goes by. */
  readonly stepUs: number;
  readonly heldBackUs: number;
  /** The newest time of the cluster that this member knows is so far ahead of its clock. */
  readonly timeAheadUs: number;
}

export class ClockWatch {
  readonly #options: ClockWatchOptions;
  readonly #clock: MemberClock;
  readonly #maxSkewUs: number;
  /** node → the comparison that is under way. */
  readonly #comparing = new Map<number, symbol>();
  #shifts = 0;
  #heldBackUs = 0;
  #cancel: CancelTimer | null = null;
  #isSoon = false;
  #saidStep = false;
  #saidTime = false;
  #closed = false;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
    this.#clock = new MemberClock(options.core);
    this.#maxSkewUs = options.maxClockSkewMs * 1000;
    options.messages.handle(clockCall, () => Promise.resolve(this.#clock.read()?.wallUs ?? null));
  }

  get report(): ClockReport {
    const now = this.#clock.read() ?? { wallUs: 0, machineUs: 0, newestUs: 0 };
    const clocks = this.#options.machine().clocks;
    const offsets = [...this.#options.messages.up].flatMap((node) => {
      const aheadUs = clocks.aheadUs(node);
      return aheadUs === null ? [] : [{ node, aheadUs }];
    });
    return {
      offsets,
      stepUs: now.machineUs - now.wallUs,
      heldBackUs: this.#heldBackUs,
      timeAheadUs: Math.max(0, now.newestUs - now.wallUs),
    };
  }

  begin(): void {
    this.#lookLater();
  }

  onPeer(node: number, up: boolean): void {
    this.#comparing.delete(node);
    if (up) void this.#compare(node);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #lookLater(): void {
    if (this.#closed) return;
    this.#isSoon = this.#options.machine().clocks.areInDoubt;
    const afterMs = this.#isSoon ? groupLimits.clockDoubtMs : groupLimits.clockLookMs;
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(afterMs, () => {
      this.#look();
    });
  }

  #look(): void {
    const now = this.#clock.read();
    if (now === null || this.#closed) return;
    this.#readAnew(now);
    this.#report(now);
    for (const node of this.#options.messages.up) void this.#compare(node);
    this.#lookLater();
  }

  #readAnew({ wallUs, machineUs }: ClockReading): void {
    const stepUs = machineUs - wallUs;
    const isAnother = Math.abs(stepUs) >= groupLimits.clockStepUs;
    if (!isAnother || !this.#options.machine().mayReadClock) return;
    this.#heldBackUs = 0;
    this.#options.clock.readAgain();
    this.#options.log.info({ stepUs }, "the clock is read anew from this member's machine");
    this.#shift(stepUs, true);
  }

  #report({ wallUs, machineUs, newestUs }: ClockReading): void {
    const { log } = this.#options;
    const stepUs = machineUs - wallUs - this.#heldBackUs;
    const isStep = Math.abs(stepUs) > this.#maxSkewUs;
    if (isStep && !this.#saidStep) {
      const mend = 'Start the member again, when it suits, to have it go by the clock as it is now';
      log.warn({ stepUs, mend }, "the machine's clock was set since this member started");
    }
    this.#saidStep = isStep;
    // Two members that the same others find right may be twice as far apart.
    const isAhead = newestUs - wallUs > 2 * this.#maxSkewUs;
    if (isAhead && !this.#saidTime) {
      const aheadUs = newestUs - wallUs;
      const mend =
        'Was the clock of a member wrong? Times count on from there until clocks come up';
      log.warn({ aheadUs, mend }, 'the newest time of the cluster is ahead of the clock here');
    }
    this.#saidTime = isAhead;
  }

  /** One that came back is compared anew, whatever becomes of the comparison before. */
  async #compare(node: number): Promise<void> {
    if (this.#comparing.has(node)) return;
    const mine = Symbol();
    this.#comparing.set(node, mine);
    const isMine = (): boolean => this.#comparing.get(node) === mine && !this.#closed;
    let best: ClockOffset | null = null;
    try {
      for (let tries = 0; tries < groupLimits.clockTries && !this.#isNear(best); tries++) {
        const offset = await this.#ask(node);
        if (!isMine()) return;
        best = narrower(best, offset);
      }
    } catch {
      // It is gone, or does not answer: it is asked again with the next look.
    }
    if (!isMine()) return;
    this.#comparing.delete(node);
    const now = this.#clock.read();
    if (best === null || now === null) return;
    // Not what it is held back by: that is not how it is elsewhere.
    const stepUs = now.machineUs - now.wallUs - this.#heldBackUs;
    this.#options.enter({ type: 'clock', node, offset: best, stepUs });
    this.#holdBack();
    if (this.#options.machine().clocks.areInDoubt && !this.#isSoon) this.#lookLater();
  }

  /** Null: my own clock was moved meanwhile. */
  async #ask(node: number): Promise<ClockOffset | null> {
    const shifts = this.#shifts;
    const before = this.#clock.read();
    const call = { timeoutMs: groupLimits.clockTimeoutMs, signal: null };
    const theirs = await this.#options.messages.call(node, clockCall, null, call);
    const after = this.#clock.read();
    if (before === null || after === null || shifts !== this.#shifts) return null;
    if (typeof theirs !== 'number') return null;
    return { leastUs: theirs - after.wallUs, mostUs: theirs - before.wallUs };
  }

  #isNear(offset: ClockOffset | null): boolean {
    return offset !== null && offset.mostUs - offset.leastUs <= this.#maxSkewUs / 4;
  }

  #holdBack(): void {
    const excessUs = this.#options.machine().clocks.excessUs;
    if (excessUs === null) return;
    const byUs = -Math.max(excessUs, -this.#heldBackUs);
    if (Math.abs(byUs) < groupLimits.clockStepUs && byUs !== this.#heldBackUs) return;
    if (byUs === 0) return;
    const wasHeld = this.#heldBackUs > 0;
    this.#heldBackUs -= byUs;
    const isHeld = this.#heldBackUs > 0;
    const heldBackUs = this.#heldBackUs;
    if (isHeld && !wasHeld) {
      const mend = "Set the machine's clock right, and start the member again";
      this.#options.log.warn(
        { heldBackUs, mend },
        'the clock of this member runs ahead: held back',
      );
    } else if (wasHeld && !isHeld) {
      this.#options.log.info('the clock of this member is not held back any more');
    }
    this.#shift(byUs, false);
  }

  #shift(byUs: number, anew: boolean): void {
    this.#shifts++;
    this.#clock.shift(byUs, anew);
    this.#options.enter({ type: 'clockShifted', byUs });
  }
}

function narrower(one: ClockOffset | null, other: ClockOffset | null): ClockOffset | null {
  if (one === null || other === null) return one ?? other;
  return other.mostUs - other.leastUs < one.mostUs - one.leastUs ? other : one;
}
