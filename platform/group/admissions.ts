/**
 * Members that are being filled so that they can come into shards: several at a time, each under an
 * attempt of its own. Whoever makes no progress is left alone for a while and holds up nobody else.
 *
 * Thread: event loop.
 * Invariant: a member has one admission at most, of the very run and incarnation that was asked.
 */
import type { GroupEffect } from './group-events.ts';
import { groupLimits } from './group-limits.ts';
import {
  type Attempt,
  type Fill,
  type GroupMessage,
  type GroupMessageOf,
  sameAttempt,
} from './group-messages.ts';
import type { GroupState } from './group-state.ts';
import { layoutToText } from './view-layout.ts';

interface Admission {
  readonly attempt: Attempt;
  readonly run: number;
  readonly incarnation: string;
  /** That it is filled with. */
  readonly shards: readonly number[];
  /** When it last said that it got on. */
  movedMs: number;
  /** Told once it is filled: the incarnation that is. */
  filledAs: string | null;
}

/** A member that is ready to come. */
export interface Filled {
  readonly node: number;
  readonly incarnation: string;
  readonly shards: readonly number[];
}

export class Admissions {
  readonly #state: GroupState;
  readonly #open = new Map<number, Admission>();
  /** Not before then is a member asked again. */
  readonly #retryAtMs = new Map<number, number>();

  constructor(state: GroupState) {
    this.#state = state;
  }

  get nodes(): readonly number[] {
    return [...this.#open.keys()];
  }

  get filled(): readonly Filled[] {
    return [...this.#open].flatMap(([node, { filledAs, shards }]) =>
      filledAs === null ? [] : [{ node, incarnation: filledAs, shards }],
    );
  }

  /** shard → members that are filled for it. */
  get byShard(): ReadonlyMap<number, readonly number[]> {
    const found = new Map<number, number[]>();
    for (const [node, { shards }] of this.#open) {
      for (const shard of shards) found.set(shard, [...(found.get(shard) ?? []), node]);
    }
    return found;
  }

  mayBegin(node: number, nowMs: number): boolean {
    const hasRoom = this.#open.size < groupLimits.admissions;
    return hasRoom && !this.#open.has(node) && nowMs >= (this.#retryAtMs.get(node) ?? 0);
  }

  begin(node: number, fills: readonly Fill[], nowMs: number, effects: GroupEffect[]): void {
    const hello = this.#state.hello(node);
    const attempt = this.#state.nextAttempt();
    this.#open.set(node, {
      attempt,
      run: hello?.run ?? 0,
      incarnation: hello?.incarnation ?? '',
      shards: fills.map(({ shard }) => shard),
      movedMs: nowMs,
      filledAs: null,
    });
    const layout = layoutToText(this.#state.layouts.given);
    const message: GroupMessage = { type: 'admit', attempt, fills: [...fills], shards: [], layout };
    effects.push({ type: 'send', to: node, message });
  }

  /** Ends what nobody answers any more. */
  onTick(nowMs: number, effects: GroupEffect[]): void {
    for (const [node, { run, incarnation, movedMs, filledAs }] of this.#open) {
      const hello = this.#state.hello(node);
      const isThere = hello?.run === run && hello.incarnation === incarnation;
      if (!isThere) {
        this.end(node, nowMs + groupLimits.retryPauseMs);
      } else if (filledAs === null && nowMs - movedMs >= groupLimits.fillStallMs) {
        const text = `member ${String(node)} makes no progress with filling its shards`;
        effects.push({ type: 'log', level: 'warn', text });
        this.end(node, nowMs + groupLimits.stalledPauseMs);
      }
    }
  }

  /** False: not of an admission, or stale. */
  onMessage(
    from: number,
    message: GroupMessageOf<'admitted' | 'filling' | 'failed'>,
    nowMs: number,
    effects: GroupEffect[],
  ): boolean {
    const admission = this.#open.get(from);
    const isMine = admission !== undefined && sameAttempt(admission.attempt, message.attempt);
    if (!isMine || admission.filledAs !== null) {
      return false;
    }
    if (message.type === 'failed') {
      const text = `member ${String(from)} could not be filled: ${message.reason}`;
      effects.push({ type: 'log', level: 'warn', text });
      this.end(from, nowMs + groupLimits.retryPauseMs * 5);
    } else if (message.type === 'filling') {
      admission.movedMs = nowMs;
    } else {
      admission.filledAs = message.incarnation;
    }
    return true;
  }

  /** It came, or has to be asked again. */
  end(node: number, retryAtMs: number): void {
    this.#open.delete(node);
    this.#retryAtMs.set(node, retryAtMs);
  }

  clear(retryAtMs: number): void {
    for (const node of this.nodes) this.end(node, retryAtMs);
  }
}
