/**
 * Session identities for the changes that this member passes on to others: with one, a change may
 * be sent again after any failure and is applied once.
 *
 * Thread: event loop.
 * Invariant: a stamp is given once; a session has at most `limits.sessionRequests` open ones.
 */
import { check, limits, type Random } from '../base/mod.ts';
import type { SessionStamp } from './types.ts';

interface Session {
  readonly id: number;
  /** Ascending, as they are given. */
  readonly open: Set<number>;
  last: number;
}

export class RequestStamps {
  readonly #random: Random;
  readonly #sessions = new Map<number, Session>();
  #current: Session;

  constructor(random: Random) {
    this.#random = random;
    this.#current = this.#begin();
  }

  take(): SessionStamp {
    if (this.#current.open.size >= limits.sessionRequests) {
      this.#current = this.#begin();
    }
    const session = this.#current;
    session.last++;
    session.open.add(session.last);
    const [lowestUnanswered = session.last] = session.open;
    return { session: session.id, request: session.last, lowestUnanswered };
  }

  /** It will not be sent again. */
  done({ session: id, request }: SessionStamp): void {
    const session = this.#sessions.get(id);
    check(session?.open.delete(request) === true, 'a stamp is given back once', { id, request });
    if (session !== this.#current && session.open.size === 0) {
      this.#sessions.delete(id);
    }
  }

  #begin(): Session {
    // 53 bits, never 0.
    const id = (this.#random.u32() % 2 ** 21) * 2 ** 32 + this.#random.u32() + 1;
    const session = { id, open: new Set<number>(), last: 0 };
    this.#sessions.set(id, session);
    return session;
  }
}
