/**
 * The leader's part of the start protocol: it waits for everyone, decides which shards need a new
 * epoch and who is filled from whom, and takes all members through the steps together.
 *
 * Thread: event loop. See establish-machine.ts for the protocol.
 * Invariants
 *  1. A step ends only when every member that it concerns has answered it.
 *  2. An attempt's number is never used again by this run of the leader.
 */
import { check } from '../base/mod.ts';
import type { GroupEffect, MachineOptions } from './establish-machine.ts';
import { groupLimits } from './group-limits.ts';
import {
  type Attempt,
  type EpochStart,
  type Fill,
  type GroupMessage,
  type GroupMessageOf,
  isLonger,
  sameAttempt,
  type ShardReport,
} from './group-messages.ts';
import type { Layout, ShardLayout } from './layout.ts';

export type LeaderPhase =
  'waiting' | 'collecting' | 'sealing' | 'filling' | 'preparing' | 'starting' | 'established';

/** The phase that takes each answer. */
const answerPhases = {
  report: 'collecting',
  sealed: 'sealing',
  filled: 'filling',
  prepared: 'preparing',
  started: 'starting',
} as const;

type Answer = GroupMessageOf<keyof typeof answerPhases>;

export class EstablishLeader {
  readonly #layout: Layout;
  readonly #attempt: { leader: number; number: number };
  readonly #hellos = new Map<number, GroupMessageOf<'hello'>>();
  /** shard → node → where it stands. */
  readonly #reports = new Map<number, Map<number, ShardReport>>();
  readonly #awaiting = new Set<number>();
  #phase: LeaderPhase = 'waiting';
  #problem: string | null = null;
  #renewed: readonly ShardLayout[] = [];
  #highestView = 0;
  #deadlineMs = Infinity;
  #retryAtMs = 0;
  #noticeAtMs = 0;
  #complained = '';

  constructor(options: MachineOptions) {
    this.#layout = options.layout;
    this.#attempt = { leader: options.incarnation, number: 0 };
  }

  get phase(): LeaderPhase {
    return this.#phase;
  }

  get problem(): string | null {
    return this.#problem;
  }

  onPeer(node: number, up: boolean, nowMs: number, effects: GroupEffect[]): void {
    if (up) {
      return;
    }
    this.#hellos.delete(node);
    this.#fallBack(`member ${String(node)} is gone`, nowMs, 0, effects);
  }

  onTick(nowMs: number, effects: GroupEffect[]): void {
    if (nowMs >= this.#deadlineMs) {
      const silent = [...this.#awaiting].map(String).join(', ');
      const why = `no answer while ${this.#phase} from ${silent}`;
      this.#fallBack(why, nowMs, groupLimits.retryPauseMs, effects);
    }
    this.#beginIfDue(nowMs, effects);
    if (this.#phase === 'waiting' && nowMs >= this.#noticeAtMs) {
      this.#noticeAtMs = nowMs + groupLimits.waitingNoticeMs;
      const missing = this.#missing();
      if (missing !== '') {
        effects.push({ type: 'log', level: 'info', text: `waiting for ${missing}` });
      }
    }
  }

  /** False: not for a leader, or stale. */
  onMessage(from: number, message: GroupMessage, nowMs: number, effects: GroupEffect[]): boolean {
    if (!this.#layout.members.includes(from)) {
      return false;
    }
    switch (message.type) {
      case 'hello':
        this.#onHello(from, message, nowMs, effects);
        return true;
      case 'report':
      case 'sealed':
      case 'filled':
      case 'prepared':
      case 'started':
        return this.#onAnswer(from, message, nowMs, effects);
      case 'failed':
        if (!sameAttempt(message.attempt, this.#attempt) || this.#isResting()) {
          return false;
        }
        this.#fallBack(
          `member ${String(from)} failed while ${this.#phase}: ${message.reason}`,
          nowMs,
          groupLimits.retryPauseMs * 5,
          effects,
        );
        return true;
      case 'collect':
      case 'seal':
      case 'fill':
      case 'prepare':
      case 'start':
        return false;
    }
  }

  #onHello(
    from: number,
    hello: GroupMessageOf<'hello'>,
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    const before = this.#hellos.get(from);
    this.#hellos.set(from, hello);
    if (hello.fingerprint !== this.#layout.fingerprint()) {
      this.#complain(
        `member ${String(from)} has other members or subgroups in its configuration; make them alike`,
        effects,
      );
      return;
    }
    const isNew = before !== undefined && before.incarnation !== hello.incarnation;
    if (isNew || !this.#isLinked(from)) {
      this.#fallBack(`member ${String(from)} came back or lost a connection`, nowMs, 0, effects);
    }
    if (this.#phase === 'established' && hello.disturbed) {
      this.#phase = 'waiting';
      // The others' rows about the same loss are on their way.
      this.#retryAtMs = nowMs + groupLimits.retryPauseMs / 4;
    }
    this.#beginIfDue(nowMs, effects);
  }

  #onAnswer(from: number, answer: Answer, nowMs: number, effects: GroupEffect[]): boolean {
    const fits =
      sameAttempt(answer.attempt, this.#attempt) &&
      this.#phase === answerPhases[answer.type] &&
      this.#awaiting.has(from);
    if (!fits || (answer.type === 'report' && !this.#isComplete(from, answer))) {
      return false;
    }
    this.#awaiting.delete(from);
    if (answer.type === 'report') {
      this.#highestView = Math.max(this.#highestView, answer.view);
    }
    if (answer.type === 'report' || answer.type === 'sealed' || answer.type === 'filled') {
      for (const report of answer.shards) {
        this.#reports.get(report.shard)?.set(from, report);
      }
    }
    if (this.#awaiting.size === 0) {
      this.#onAllAnswered(answer.type, nowMs, effects);
    }
    return true;
  }

  #isComplete(from: number, { shards }: GroupMessageOf<'report'>): boolean {
    const reported = new Set(shards.map(({ shard }) => shard));
    return this.#layout.heldBy(from).every(({ shard }) => reported.has(shard));
  }

  #onAllAnswered(type: Answer['type'], nowMs: number, effects: GroupEffect[]): void {
    switch (type) {
      case 'report':
        this.#seal(nowMs, effects);
        return;
      case 'sealed':
        this.#fill(nowMs, effects);
        return;
      case 'filled':
        this.#checkFilled(nowMs, effects);
        return;
      case 'prepared':
        this.#broadcast('starting', { type: 'start', attempt: this.#now() }, nowMs, effects);
        return;
      case 'started':
        this.#becomeEstablished(nowMs, effects);
        return;
    }
  }

  #beginIfDue(nowMs: number, effects: GroupEffect[]): void {
    const due = this.#phase === 'waiting' && nowMs >= this.#retryAtMs;
    if (!due || this.#missing() !== '') {
      return;
    }
    this.#attempt.number++;
    this.#reports.clear();
    for (const { shard } of this.#layout.shards) {
      this.#reports.set(shard, new Map());
    }
    this.#broadcast('collecting', { type: 'collect', attempt: this.#now() }, nowMs, effects);
  }

  #seal(nowMs: number, effects: GroupEffect[]): void {
    this.#renewed = this.#layout.shards.filter((shard) => !this.#runsEverywhere(shard));
    if (this.#renewed.length === 0) {
      this.#becomeEstablished(nowMs, effects);
      return;
    }
    const shards = this.#renewed.map(({ shard }) => shard);
    this.#broadcast('sealing', { type: 'seal', attempt: this.#now(), shards }, nowMs, effects);
  }

  #runsEverywhere({ shard, members }: ShardLayout): boolean {
    const epochs = members.map((node) => this.#reports.get(shard)?.get(node)?.running ?? 0);
    return epochs.every((epoch) => epoch > 0 && epoch === epochs[0]);
  }

  #fill(nowMs: number, effects: GroupEffect[]): void {
    const fills = new Map<number, Fill[]>();
    for (const layout of this.#renewed) {
      const donor = this.#longest(layout);
      for (const node of layout.members) {
        const report = this.#reportOf(layout.shard, node);
        const behind = isLonger(donor.report, report);
        if (behind || (layout.persistent && differs(donor.report, report))) {
          const mine = fills.get(node) ?? [];
          mine.push({ shard: layout.shard, donor: donor.node });
          fills.set(node, mine);
        }
      }
    }
    if (fills.size === 0) {
      this.#prepare(nowMs, effects);
      return;
    }
    this.#become('filling', fills.keys(), nowMs + groupLimits.fillStepTimeoutMs);
    for (const [node, list] of fills) {
      const message: GroupMessage = { type: 'fill', attempt: this.#now(), fills: list };
      effects.push({ type: 'send', to: node, message });
    }
  }

  #checkFilled(nowMs: number, effects: GroupEffect[]): void {
    for (const layout of this.#renewed) {
      const donor = this.#longest(layout);
      for (const node of layout.members) {
        const report = this.#reportOf(layout.shard, node);
        const same = report.version === donor.report.version;
        if (!same || (layout.persistent && differs(donor.report, report))) {
          const where = `shard ${String(layout.shard)}`;
          const who = `members ${String(donor.node)} and ${String(node)}`;
          const odd = this.#minority(layout);
          const why = `${who} hold different histories of ${where}, also after filling${odd}`;
          this.#fallBack(why, nowMs, groupLimits.waitingNoticeMs, effects);
          return;
        }
      }
    }
    this.#prepare(nowMs, effects);
  }

  /** Who is not with most members of a shard, in words; empty: there is no majority. */
  #minority({ shard, members }: ShardLayout): string {
    const digestOf = (node: number): string => {
      const { version, digest } = this.#reportOf(shard, node);
      return `${String(version)} ${digest}`;
    };
    const most = members.find(
      (node) =>
        members.filter((other) => digestOf(other) === digestOf(node)).length > members.length / 2,
    );
    if (most === undefined) {
      return '';
    }
    const odd = members.filter((node) => digestOf(node) !== digestOf(most));
    return ` (in the minority: member ${odd.map(String).join(', ')})`;
  }

  #prepare(nowMs: number, effects: GroupEffect[]): void {
    const starts = this.#renewed.map(({ shard }): EpochStart => {
      const reports = [...(this.#reports.get(shard)?.values() ?? [])];
      return { shard, epoch: Math.max(...reports.map(({ highest }) => highest)) + 1 };
    });
    this.#highestView++;
    const attempt = this.#now();
    const view = this.#highestView;
    this.#broadcast('preparing', { type: 'prepare', attempt, view, starts }, nowMs, effects);
  }

  #becomeEstablished(nowMs: number, effects: GroupEffect[]): void {
    this.#phase = 'established';
    this.#deadlineMs = Infinity;
    this.#problem = null;
    this.#complained = '';
    const count = this.#renewed.length;
    const text = `view ${String(this.#highestView)} runs, ${String(count)} shards began an epoch`;
    effects.push({ type: 'log', level: 'info', text }, { type: 'changed' });
    if ([...this.#hellos.values()].some(({ disturbed }) => disturbed)) {
      this.#phase = 'waiting';
      this.#retryAtMs = nowMs + groupLimits.retryPauseMs;
    }
  }

  #broadcast(
    phase: LeaderPhase,
    message: GroupMessage,
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    this.#become(phase, this.#layout.members, nowMs + groupLimits.stepTimeoutMs);
    for (const to of this.#layout.members) {
      effects.push({ type: 'send', to, message });
    }
  }

  #become(phase: LeaderPhase, awaiting: Iterable<number>, deadlineMs: number): void {
    this.#phase = phase;
    this.#awaiting.clear();
    for (const node of awaiting) {
      this.#awaiting.add(node);
    }
    this.#deadlineMs = deadlineMs;
  }

  #fallBack(reason: string, nowMs: number, pauseMs: number, effects: GroupEffect[]): void {
    if (this.#phase === 'waiting') {
      return;
    }
    this.#problem = reason;
    this.#phase = 'waiting';
    this.#deadlineMs = Infinity;
    this.#awaiting.clear();
    this.#retryAtMs = nowMs + pauseMs;
    this.#noticeAtMs = nowMs;
    effects.push({ type: 'log', level: 'warn', text: reason }, { type: 'changed' });
  }

  #complain(text: string, effects: GroupEffect[]): void {
    this.#problem = text;
    if (this.#complained !== text) {
      this.#complained = text;
      effects.push({ type: 'log', level: 'error', text }, { type: 'changed' });
    }
  }

  /** Whom an attempt has to wait for, to be read by people; empty: nobody. */
  #missing(): string {
    const absent = this.#layout.members.filter((node) => !this.#hellos.has(node));
    if (absent.length > 0) {
      return `member ${absent.map(String).join(', ')}`;
    }
    const parts: string[] = [];
    for (const node of this.#layout.members) {
      const hello = this.#hellos.get(node);
      if (hello === undefined) {
        continue;
      }
      if (hello.fingerprint !== this.#layout.fingerprint()) {
        parts.push(`member ${String(node)} to be configured like this one`);
      } else if (!this.#isLinked(node)) {
        const apart = this.#layout.members.filter((to) => to !== node && !hello.up.includes(to));
        parts.push(`member ${String(node)} to reach ${apart.map(String).join(', ')}`);
      }
    }
    return parts.join('; ');
  }

  #isLinked(node: number): boolean {
    const up = this.#hellos.get(node)?.up ?? [];
    return this.#layout.members.every((to) => to === node || up.includes(to));
  }

  #isResting(): boolean {
    return this.#phase === 'waiting' || this.#phase === 'established';
  }

  #longest({ shard, members }: ShardLayout): { node: number; report: ShardReport } {
    let node = members[0] as number;
    let report = this.#reportOf(shard, node);
    for (const other of members.slice(1)) {
      const theirs = this.#reportOf(shard, other);
      if (isLonger(theirs, report)) {
        node = other;
        report = theirs;
      }
    }
    return { node, report };
  }

  #reportOf(shard: number, node: number): ShardReport {
    const report = this.#reports.get(shard)?.get(node);
    check(report !== undefined, 'every member of a shard has reported it', { shard, node });
    return report;
  }

  #now(): Attempt {
    return { ...this.#attempt };
  }
}

function differs(a: ShardReport, b: ShardReport): boolean {
  return a.version !== b.version || a.digest !== b.digest;
}
