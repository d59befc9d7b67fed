/**
 * Session identities for changes that may have to be sent again: under one stamp a change is
 * applied once, however often and wherever it arrives, and is given its first answer again.
 *
 * A shard remembers the answers that may still be asked for: those of requests at or above the
 * lowest unanswered one that it was told, at most `limits.sessionRequests` of a session; and the
 * sessions used last (4096). So a session spans no more requests than that, and is left for a new
 * one after a minute: one that a shard has not seen for long may be forgotten there.
 *
 * Thread: event loop.
 * Invariants
 *  1. A stamp is given once.
 *  2. From the lowest open request of a session to its newest there are at most
 *     `limits.sessionRequests`: no shard has forgotten the answer of one that is open.
 */
import type { Clock } from './clock.ts';
import { FreshetError } from './errors.ts';
import { check } from './invariant.ts';
import { limits } from './limits.ts';
import type { Random } from './random.ts';
import type { SessionStamp } from './request.ts';

interface Session {
  readonly id: number;
  readonly until: number;
  /** Of each open request, at its number modulo the size: 1. */
  readonly isOpen: Uint8Array;
  openCount: number;
  last: number;
  /** The lowest open request; the next one, if none is open. */
  lowest: number;
}

const sessionAgeMs = 60_000;
const sessionSize = limits.sessionRequests;

export class RequestStamps {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #sessions = new Map<number, Session>();
  #current: Session;

  constructor(random: Random, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
    this.#current = this.#begin();
  }

  /** `nowMs`: monotonic, of who has just looked. */
  take(nowMs: number = this.#clock.monotonicMs()): SessionStamp {
    if (this.#isOver(this.#current, nowMs)) {
      this.#current = this.#other() ?? this.#begin();
    }
    const session = this.#current;
    session.last++;
    session.openCount++;
    session.isOpen[session.last % sessionSize] = 1;
    return { session: session.id, request: session.last, lowestUnanswered: session.lowest };
  }

  /** It will not be sent again. */
  done({ session: id, request }: SessionStamp): void {
    const session = this.#sessions.get(id);
    const isGiven = session !== undefined && request >= session.lowest && request <= session.last;
    const isOpen = isGiven && session.isOpen[request % sessionSize] === 1;
    check(isOpen, 'a stamp is given back once', { id, request });
    session.isOpen[request % sessionSize] = 0;
    session.openCount--;
    while (session.lowest <= session.last && session.isOpen[session.lowest % sessionSize] === 0) {
      session.lowest++;
    }
  }

  #isOver({ last, lowest, until }: Session, nowMs: number): boolean {
    return last + 1 - lowest >= sessionSize || nowMs >= until;
  }

  /** One that was full before, so that shards have fewer to remember; null: there is none. */
  #other(): Session | null {
    const now = this.#clock.monotonicMs();
    for (const session of this.#sessions.values()) {
      if (!this.#isOver(session, now)) return session;
      if (session.openCount === 0 && now >= session.until) this.#sessions.delete(session.id);
    }
    return null;
  }

  #begin(): Session {
    // 53 bits, never 0.
    const id = (this.#random.u32() % 2 ** 21) * 2 ** 32 + this.#random.u32() + 1;
    const until = this.#clock.monotonicMs() + sessionAgeMs;
    const isOpen = new Uint8Array(sessionSize);
    const session = { id, until, isOpen, openCount: 0, last: 0, lowest: 1 };
    this.#sessions.set(id, session);
    return session;
  }
}

/** As a door took it in; INVALID_ARGUMENT if it names no request. */
export function checkStamp({ session, request, lowestUnanswered }: SessionStamp): void {
  const { isSafeInteger } = Number;
  const areNumbers =
    isSafeInteger(session) && isSafeInteger(request) && isSafeInteger(lowestUnanswered);
  if (areNumbers && session > 0 && request > 0 && lowestUnanswered >= 0) {
    if (lowestUnanswered <= request) return;
  }
  const given = [session, request, lowestUnanswered].map(String).join(', ');
  throw new FreshetError('INVALID_ARGUMENT', `The session names no request: ${given}`, {
    mend: 'Give a session above 0, a request that counts up from 1, and the lowest unanswered one',
  });
}
