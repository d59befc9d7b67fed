import type { CoreState } from '../../../platform/group/group-state.ts';
import {
  type CoreMember,
  type CoreShard,
  type CoreView,
  encodeView,
} from '../../../platform/group/view-codec.ts';

/**
 * The views of one member as native/core/view keeps them, in short: rows are read at once as long
 * as a connection is up, and leases and trims are left out. Who has failed is removed by a
 * majority; what stands in a row that is trusted is taken before anything new; a commit needs
 * everyone who is trusted, and of each epoch that ends one that has its history.
 */
export interface CoreHost {
  /** The core of a member that is connected; null: it is not. */
  peer(node: number): WorldCore | null;
  /** When the connection was lost, ms. */
  downSince(node: number): number;
  /** Deliver, fill and write the record; then call prepared() with this vote. */
  prepare(pending: Pending): void;
  installed(view: CoreView): void;
  changed(): void;
  outdated(): void;
}

export interface Pending {
  readonly view: CoreView;
  readonly identity: string;
  /** Who put it forward, and in which attempt. */
  readonly ballot: number;
  /** Of this view under this ballot. */
  readonly vote: string;
  readonly promised: boolean;
}

const limits = { lostMs: 100, attemptMs: 300, outdatedMs: 200, seats: 16 };

export class WorldCore {
  readonly node: number;
  readonly incarnation: string;
  installed: CoreView | null = null;
  installedAs = '';
  pending: Pending | null = null;
  attempt = 1;
  suspects: ReadonlySet<number> = new Set();
  /** What was prepared last; empty: nothing. */
  preparedVote = '';
  readonly #host: CoreHost;
  #asked = '';
  #sinceMs: number;
  #stuckSinceMs = 0;
  #behindSinceMs = 0;
  #outdated = false;
  #shown = '';

  constructor(node: number, incarnation: string, host: CoreHost, nowMs: number) {
    this.node = node;
    this.incarnation = incarnation;
    this.#host = host;
    this.#sinceMs = nowMs;
  }

  get state(): CoreState {
    return {
      incarnation: this.incarnation,
      installed: this.installed,
      changing: this.pending !== null,
      leads: this.leads,
      stuck: this.installed !== null && this.#isShort(),
    };
  }

  get leads(): boolean {
    const first = this.installed?.members.find(({ seat }) => !this.suspects.has(seat));
    return first?.node === this.node && this.#isAgreed();
  }

  get seat(): number {
    return this.#seatIn(this.installed);
  }

  /** Does the epoch still take writes here? */
  takes(shard: number): CoreShard | null {
    const now = this.installed?.shards.find((item) => item.shard === shard);
    const next = this.pending?.view.shards.find((item) => item.shard === shard);
    const mine = now?.members.includes(this.seat) === true;
    return now !== undefined && mine && (next?.epoch ?? now.epoch) === now.epoch ? now : null;
  }

  begin(view: CoreView, nowMs: number): boolean {
    if (this.installed !== null || this.#seatIn(view) < 0) {
      return false;
    }
    this.#sinceMs = nowMs;
    this.#become(view, identityOf(view));
    return true;
  }

  propose(view: CoreView): boolean {
    const { installed } = this;
    const fits = installed !== null && view.parent === installed.number;
    const busy = this.#trusted().some((peer) => this.#standing(peer) !== null);
    if (!this.leads || !fits || this.pending !== null || this.suspects.size > 0 || busy) {
      return false;
    }
    this.#putForward(view, this.#ballot());
    return true;
  }

  /** The others follow, as with one that is lost. */
  accuse(node: number): boolean {
    const seat = this.installed?.members.find((member) => member.node === node)?.seat;
    const left = this.installed?.members.filter((member) => member.node !== node) ?? [];
    const isMost = 2 * left.length > (this.installed?.members.length ?? 0);
    if (seat === undefined || this.pending !== null || !isMost) return false;
    this.suspects = new Set([...this.suspects, seat]);
    return true;
  }

  prepared(vote: string): void {
    if (this.pending?.vote === vote) {
      this.preparedVote = vote;
    }
  }

  step(nowMs: number): void {
    if (this.installed !== null) {
      this.#suspect(nowMs);
      this.#considerAttempt(nowMs);
      this.#noticeOutdated(nowMs);
    }
    this.#acknowledge();
    this.#lead();
    this.#askToPrepare();
    this.#commit();
    this.#install();
    const { leads, stuck, changing } = this.state;
    const shown = `${String(leads)} ${String(stuck)} ${String(changing)} ${this.installedAs}`;
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#host.changed();
    }
  }

  #seatIn(view: CoreView | null | undefined): number {
    const mine = (member: CoreMember): boolean =>
      member.node === this.node && member.incarnation === this.incarnation;
    return view?.members.find(mine)?.seat ?? -1;
  }

  /** The very incarnation, connected. */
  #at({ node, incarnation }: CoreMember): WorldCore | null {
    const peer = node === this.node ? this : this.#host.peer(node);
    return peer?.incarnation === incarnation ? peer : null;
  }

  /** Other members of the view that are here and not suspected, in rank order. */
  #trusted(): WorldCore[] {
    return (this.installed?.members ?? []).flatMap((member) => {
      const peer = this.#at(member);
      return peer === null || peer === this || this.suspects.has(member.seat) ? [] : [peer];
    });
  }

  #suspect(nowMs: number): void {
    const suspects = new Set(this.suspects);
    for (const member of [...(this.installed?.members ?? []), ...this.#joining()]) {
      const peer = member.node === this.node ? this : this.#host.peer(member.node);
      const since = Math.max(this.#host.downSince(member.node), this.#sinceMs);
      const down = peer === null && nowMs - since >= limits.lostMs;
      if (down || (peer !== null && peer.incarnation !== member.incarnation)) {
        suspects.add(member.seat);
      }
    }
    this.suspects = suspects;
    for (const peer of this.#trusted()) {
      const trusted = !suspects.has(peer.seat) && peer.installedAs === this.installedAs;
      if (trusted && peer.attempt === this.attempt) {
        for (const seat of peer.suspects) {
          suspects.add(seat);
        }
      }
    }
  }

  #joining(): CoreMember[] {
    const seats = this.installed?.members.map(({ seat }) => seat) ?? [];
    return (this.pending?.view.members ?? []).filter(({ seat }) => !seats.includes(seat));
  }

  #isShort(): boolean {
    const { installed, pending, suspects } = this;
    const views = [installed, pending?.view ?? null].filter((view) => view !== null);
    const kept = (member: CoreMember): boolean =>
      !suspects.has(member.seat) &&
      views.every((view) => view !== pending?.view || seatsOf(view).includes(member.seat));
    return (
      suspects.has(this.seat) ||
      this.#waitsForHistory() ||
      views.some((view) => 2 * view.members.filter(kept).length <= view.members.length)
    );
  }

  /** An epoch ends whose members I suspect, and one of them is here: it has what joiners lack. */
  #waitsForHistory(): boolean {
    const members = this.installed?.members ?? [];
    const kept = seatsOf(this.pending?.view ?? { members });
    return this.#ending().some((seats) => {
      const isLost = seats.every((seat) => this.suspects.has(seat) || !kept.includes(seat));
      const isHere = (seat: number): boolean =>
        members.some((member) => member.seat === seat && this.#at(member) !== null);
      return isLost && seats.some((seat) => this.suspects.has(seat) && isHere(seat));
    });
  }

  /** The members of each epoch that ends and goes on in the next view. */
  #ending(): (readonly number[])[] {
    return (this.installed?.shards ?? []).flatMap((before) => {
      const after = this.pending?.view.shards.find(({ shard }) => shard === before.shard);
      const goesOn = after !== undefined && !after.closed && after.epoch !== before.epoch;
      return goesOn ? [before.members] : [];
    });
  }

  #considerAttempt(nowMs: number): void {
    const members = this.installed?.members ?? [];
    const { pending } = this;
    const gone = this.#joining().some((member) => this.#at(member) === null);
    if (members.length === 1 && pending?.promised === false && gone) {
      this.pending = null;
      this.#enterAttempt(this.attempt + 1, nowMs);
      return;
    }
    const higher = members.filter((member) => (this.#at(member)?.attempt ?? 0) > this.attempt);
    const short = this.#isShort();
    const follows =
      higher.some(({ seat }) => !this.suspects.has(seat)) ||
      (higher.length > 0 && short) ||
      2 * higher.length > members.length;
    if (follows) {
      const attempts = higher.map((member) => this.#at(member)?.attempt ?? 0);
      this.#enterAttempt(Math.max(...attempts), nowMs);
      return;
    }
    const heard = members.filter((member) => this.#at(member) !== null);
    if (!short || 2 * heard.length <= members.length) {
      this.#stuckSinceMs = nowMs;
    } else if (nowMs - Math.max(this.#stuckSinceMs, this.#sinceMs) >= limits.attemptMs) {
      this.#enterAttempt(this.attempt + 1, nowMs);
    }
  }

  #enterAttempt(attempt: number, nowMs: number): void {
    this.attempt = attempt;
    this.suspects = new Set();
    this.#sinceMs = nowMs;
    this.#stuckSinceMs = nowMs;
  }

  #noticeOutdated(nowMs: number): void {
    const mine = this.installed?.number ?? 0;
    const behind = this.#connected().some((peer) => (peer.installed?.number ?? 0) > mine);
    this.#behindSinceMs = behind ? this.#behindSinceMs || nowMs : 0;
    if (behind && !this.#outdated && nowMs - this.#behindSinceMs >= limits.outdatedMs) {
      this.#outdated = true;
      this.#host.outdated();
    }
  }

  #connected(): WorldCore[] {
    return Array.from({ length: limits.seats }, (_, node) => this.#host.peer(node + 1)).filter(
      (peer) => peer !== null,
    );
  }

  #isAgreed(): boolean {
    const members = this.installed?.members ?? [];
    const alive = members.filter(({ seat }) => !this.suspects.has(seat));
    return (
      !this.suspects.has(this.seat) &&
      2 * alive.length > members.length &&
      alive.every((member) => {
        const peer = this.#at(member);
        const same = peer?.installedAs === this.installedAs && peer.attempt === this.attempt;
        return same && isSame(peer.suspects, this.suspects);
      })
    );
  }

  /** A successor of mine in a peer's row that counts me. */
  #standing(peer: WorldCore): Pending | null {
    const theirs = peer.pending;
    const blank = this.installed === null;
    const fits =
      theirs !== null &&
      this.#seatIn(theirs.view) >= 0 &&
      (blank || theirs.view.parent === this.installed?.number);
    return fits ? theirs : null;
  }

  #newest(found: readonly (Pending | null)[]): Pending | null {
    const mine = this.pending;
    return found.reduce((best, next) => {
      return next !== null && (best === null || isNewer(next, best)) ? next : best;
    }, mine);
  }

  #acknowledge(): void {
    const rows = this.installed === null ? this.#connected() : this.#trusted();
    const found = rows
      .map((peer) => this.#standing(peer))
      .filter((theirs) => {
        const attempt = Math.floor((theirs?.ballot ?? 0) / limits.seats);
        return theirs !== null && (this.installed === null || attempt === this.attempt);
      });
    const newest = this.#newest(found);
    if (newest !== null && newest !== this.pending) {
      this.#putForward(newest.view, newest.ballot);
      if (this.installed === null) {
        this.attempt = Math.max(this.attempt, Math.floor(newest.ballot / limits.seats));
      }
    }
  }

  #lead(): void {
    if (!this.leads || this.pending?.ballot === this.#ballot()) {
      return;
    }
    const trusted = this.#trusted();
    const newest = this.#newest(trusted.map((peer) => this.#standing(peer)));
    const number = this.installed?.number;
    const excludes = (peer: WorldCore): boolean =>
      peer.pending?.view.parent === number && this.#seatIn(peer.pending?.view) < 0;
    if (trusted.some(excludes)) {
      // It may be committed already: nothing else can be put forward.
      return;
    }
    const view = newest?.view ?? (this.suspects.size > 0 ? this.#compose() : null);
    if (view !== null) {
      this.#putForward(view, this.#ballot());
    }
  }

  #compose(): CoreView | null {
    const { installed, suspects } = this;
    if (installed === null) {
      return null;
    }
    const stays = (seat: number): boolean => !suspects.has(seat);
    const shards = installed.shards.map((shard): CoreShard => {
      if (shard.members.every(stays)) {
        return shard;
      }
      const members = shard.members.filter(stays);
      const senders = members.map((_, rank) => rank);
      return { ...shard, epoch: shard.epoch + 1, members, senders, closed: members.length === 0 };
    });
    const members = installed.members.filter(({ seat }) => stays(seat));
    return {
      ...installed,
      number: installed.number + 1,
      parent: installed.number,
      members,
      shards,
    };
  }

  #ballot(): number {
    return this.attempt * limits.seats + this.seat;
  }

  #putForward(view: CoreView, ballot: number): void {
    const identity = identityOf(view);
    const promised = this.pending?.identity === identity && this.pending.promised;
    this.pending = { view, identity, ballot, vote: `${String(ballot)} ${identity}`, promised };
  }

  #askToPrepare(): void {
    const { pending, installed } = this;
    if (pending === null || this.#asked === pending.vote) {
      return;
    }
    const joiners = this.#joining().map((member) => this.#at(member));
    const alone = installed?.members.length === 1;
    if (alone && !joiners.every((peer) => peer?.preparedVote === pending.vote)) {
      return;
    }
    this.#asked = pending.vote;
    this.pending = { ...pending, promised: true };
    this.#host.prepare(pending);
  }

  #commit(): void {
    const { pending, installed } = this;
    if (pending === null || installed === null || pending.ballot !== this.#ballot()) {
      return;
    }
    const isReady = (member: CoreMember): boolean =>
      this.#at(member)?.preparedVote === pending.vote;
    const trusted = pending.view.members.filter(({ seat }) => !this.suspects.has(seat));
    const majority = [installed, pending.view].every(
      ({ members }) => 2 * members.filter(isReady).length > members.length,
    );
    const seats = seatsOf(pending.view);
    const ready = seatsOf({ members: pending.view.members.filter(isReady) });
    // Of those that had an epoch and are kept, one has to have its history.
    const isKnown = this.#ending().every((before) => {
      const kept = before.filter((seat) => seats.includes(seat));
      return kept.length === 0 || kept.some((seat) => ready.includes(seat));
    });
    if (this.leads && majority && isKnown && trusted.every(isReady)) {
      this.#become(pending.view, pending.identity);
    }
  }

  #install(): void {
    const { pending } = this;
    const rows = this.installed === null ? this.#connected() : this.#trusted();
    const seen = rows.some((peer) => peer.installedAs === pending?.identity);
    if (pending !== null && this.preparedVote === pending.vote && seen) {
      this.#become(pending.view, pending.identity);
    }
  }

  #become(view: CoreView, identity: string): void {
    this.installed = view;
    this.installedAs = identity;
    this.pending = null;
    this.preparedVote = '';
    this.#asked = '';
    const seats = seatsOf(view);
    this.suspects = new Set([...this.suspects].filter((seat) => seats.includes(seat)));
    this.#host.installed(view);
  }
}

export function identityOf(view: CoreView): string {
  return encodeView(view).toString('base64');
}

function seatsOf({ members }: Pick<CoreView, 'members'>): number[] {
  return members.map(({ seat }) => seat);
}

function isNewer(a: Pending, b: Pending): boolean {
  return a.view.number > b.view.number || (a.view.number === b.view.number && a.ballot > b.ballot);
}

function isSame(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === b.size && [...a].every((seat) => b.has(seat));
}
