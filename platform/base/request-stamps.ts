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
  /** Ascending, as they are given. */
  readonly open: Set<number>;
  readonly until: number;
  last: number;
}

const sessionAgeMs = 60_000;

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

  take(): SessionStamp {
    if (this.#isOver(this.#current)) {
      this.#leave(this.#current);
      this.#current = this.#begin();
    }
    const session = this.#current;
    session.last++;
    session.open.add(session.last);
    return { session: session.id, request: session.last, lowestUnanswered: lowestOf(session) };
  }

  /** It will not be sent again. */
  done({ session: id, request }: SessionStamp): void {
    const session = this.#sessions.get(id);
    check(session?.open.delete(request) === true, 'a stamp is given back once', { id, request });
    if (session !== this.#current) this.#leave(session);
  }

  #isOver(session: Session): boolean {
    const isFull = session.last + 1 - lowestOf(session) >= limits.sessionRequests;
    return isFull || this.#clock.monotonicMs() >= session.until;
  }

  #leave(session: Session): void {
    if (session.open.size === 0) this.#sessions.delete(session.id);
  }

  #begin(): Session {
    // 53 bits, never 0.
    const id = (this.#random.u32() % 2 ** 21) * 2 ** 32 + this.#random.u32() + 1;
    const until = this.#clock.monotonicMs() + sessionAgeMs;
    const session = { id, open: new Set<number>(), until, last: 0 };
    this.#sessions.set(id, session);
    return session;
  }
}

/** As a door took it in; INVALID_ARGUMENT if it names no request. */
export function checkStamp({ session, request, lowestUnanswered }: SessionStamp): void {
  const areNumbers = [session, request, lowestUnanswered].every(Number.isSafeInteger);
  if (areNumbers && session > 0 && request > 0 && lowestUnanswered >= 0) {
    if (lowestUnanswered <= request) return;
  }
  const given = [session, request, lowestUnanswered].map(String).join(', ');
  throw new FreshetError('INVALID_ARGUMENT', `The session names no request: ${given}`, {
    mend: 'Give a session above 0, a request that counts up from 1, and the lowest unanswered one',
  });
}

/** The next one, if none is open. */
function lowestOf({ open, last }: Session): number {
  const [lowest = last + 1] = open;
  return lowest;
}
