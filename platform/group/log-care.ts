/**
 * Looks after the logs of a member: knows where they are damaged, has that mended, reads them again
 * now and then, and compares with the other members what was applied.
 *
 * Thread: event loop.
 * Invariants
 *  1. One shard is mended at a time; damage is forgotten only when a survey no longer finds it.
 *  2. A shard whose log was damaged when it was opened, or read anew, is opened once its log is
 *  whole, and never before. Of its history is cut only what a restart of the others undid: they run
 *  the shard without it.
 *  3. A shard whose history differs from the majority's stops and stays so while this member runs.
 */
import {
  type CancelTimer,
  type Clock,
  type FreshetError,
  isFreshetError,
  type Logger,
  messageOf,
  type VerifyReport,
} from '../base/mod.ts';
import { multicastAlgorithms } from '../bridge/mod.ts';
import { groupLimits } from './group-limits.ts';
import { compareHistories } from './histories.ts';
import {
  beforeAll,
  type History,
  type LogPlace,
  type LogPosition,
  logStart,
  openShardCut,
  readHistory,
  reopenLog,
  scrubStep,
} from './log-calls.ts';
import { historyDiffers, noGoodCopy } from './log-refusals.ts';
import type { Multicast } from './layout-options.ts';
import type { Layout, ShardLayout } from './layout.ts';
import { closeShard } from './view-calls.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';
import { ShardRepair } from './shard-repair.ts';
import { setShardRules } from './view-calls.ts';
import { historiesOf, type ShardCare, tellCare, verifyShards } from './verify.ts';

export interface LogCareConfig {
  /** From one scrub to the next, and from one comparison to the next; 0: only when asked. */
  readonly scrubEveryMs: number;
  readonly compareEveryMs: number;
  /** Read by a scrub that nobody waits for. */
  readonly scrubBytesPerSecond: number;
}

export interface LogCareOptions extends LogCareConfig {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly layoutNow: () => Layout;
  /** What the native side is told of a shard that is open. */
  readonly rulesOf: (shard: number) => HeldRules;
  /** Node ids of those that have a place in a shard now. */
  readonly homes: (shard: number) => readonly number[];
  /** It runs, in the view of this member, which has no part in that: its history is theirs. */
  readonly runsWithoutMe: (shard: number) => boolean;
  readonly dataFolder: string;
  readonly shardMemoryBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Other shards of this member than before may not go on. */
  readonly onRefusals: () => void;
}

export interface HeldRules {
  readonly raw: boolean;
  readonly multicast: Multicast;
  /** How long a member has to have been waited for before that is told. */
  readonly lagAfterMs: number;
}

/** Numbers for metrics; all but `damaged` grow from the start of the member. */
export interface LogCareCounts {
  /** Segments that are damaged now. */
  damaged: number;
  /** Holes that were filled. */
  repaired: number;
  scrubbedBytes: number;
  scrubPasses: number;
  /** Comparisons that found a difference. */
  differences: number;
}

export class LogCare {
  readonly #options: LogCareOptions;
  /** What was opened here and not closed since; a damaged one may still be closed below. */
  readonly #opened = new Map<number, ShardLayout>();
  /** shard → the rules that the native side has. */
  readonly #told = new Map<number, string>();
  readonly #repair: ShardRepair;
  /** shard → segment → offset. */
  readonly #damage = new Map<number, Map<number, number>>();
  readonly #closed = new Set<number>();
  readonly #refusals = new Map<number, FreshetError>();
  readonly #timers = new Map<string, CancelTimer>();
  readonly #counts = { repaired: 0, scrubbedBytes: 0, scrubPasses: 0, differences: 0 };
  #mending: Promise<void> = Promise.resolve();
  #scrubbing: Promise<void> | null = null;
  #hurries = false;
  #view = 0;
  #ended = false;

  constructor(options: LogCareOptions) {
    const { core, messages } = options;
    this.#options = options;
    this.#repair = new ShardRepair(options);
    core.listen({
      onDamage: (shard, _status, segment, offset) => {
        this.#onDamage(shard, segment, offset);
      },
    });
    core.setMender((shard) => this.#whenMended(shard));
    tellCare(messages, {
      care: (isThorough) => this.#tellCare(isThorough),
      check: () => this.#compareAll(),
    });
  }

  get counts(): LogCareCounts {
    let damaged = 0;
    for (const segments of this.#damage.values()) damaged += segments.size;
    return { ...this.#counts, damaged };
  }

  /** Why a shard may not go on here, or null. */
  refusalOf(shard: number): FreshetError | null {
    return this.#refusals.get(shard) ?? null;
  }

  /** Shards that may not go on here. */
  get refused(): readonly number[] {
    return [...this.#refusals.keys()];
  }

  /** Scrubs and compares from now on, as often as configured. */
  begin(): void {
    const { scrubEveryMs, compareEveryMs } = this.#options;
    this.#every('scrub', scrubEveryMs, () => this.#scrub(false));
    this.#every('compare', compareEveryMs, () => this.#compareAll());
  }

  /** Shards that are open here, or will be once they are mended. */
  get opened(): readonly number[] {
    return [...this.#opened.keys()];
  }

  /** Those of them that have a log. */
  get logs(): readonly number[] {
    return this.#held.map(({ shard }) => shard);
  }

  /**
   * Opens a shard, if it is not open. One that is damaged is left closed, to be mended from the
   * other members.
   */
  async open(layout: ShardLayout): Promise<void> {
    const before = this.#opened.get(layout.shard);
    if (before?.persistent === layout.persistent) return;
    // A layout was lost in which it was of another kind: it never had anything.
    if (before !== undefined) await this.closeShard(layout.shard);
    this.#opened.set(layout.shard, layout);
    try {
      await this.#openNow(layout);
    } catch (caught) {
      this.#opened.delete(layout.shard);
      throw caught;
    }
  }

  /** Of one that this member left; what it has on disk stays there. */
  async closeShard(shard: number): Promise<void> {
    if (!this.#opened.has(shard)) return;
    await this.#inTurn(() => closeShard(this.#options.core, shard));
    this.#opened.delete(shard);
    this.#told.delete(shard);
    this.#closed.delete(shard);
    this.#damage.delete(shard);
    this.#timers.get(`mend ${String(shard)}`)?.();
  }

  /** `cutAfter`: what lies behind it the others have undone. */
  async #openNow(layout: ShardLayout, cutAfter: LogPosition | null = null): Promise<void> {
    const { shard, persistent } = layout;
    const { core, dataFolder, shardMemoryBytes, homes } = this.#options;
    this.#closed.add(shard);
    this.#told.delete(shard);
    const options = { shard, persistent, memoryMax: shardMemoryBytes };
    try {
      await Promise.all([
        cutAfter === null ? core.openShard(options) : openShardCut(core, options, cutAfter),
        this.#tellRules(shard),
      ]);
      this.#closed.delete(shard);
      this.#damage.delete(shard);
    } catch (caught) {
      if (!isFreshetError(caught, 'LOG_CORRUPT')) throw caught;
      const [place] = this.#damage.get(shard) ?? [];
      if (homes(shard).length === 1) throw noGoodCopy(dataFolder, shard, place ?? [0, 0]);
    }
  }

  /**
   * Drops what the log holds behind a position, which the others do not have. What is found damaged
   * before it rejects LOG_CORRUPT, and the shard stays closed until `openRest`.
   */
  cutBack(shard: number, [epoch, sequence]: LogPosition): Promise<void> {
    return this.#readAnew(shard, () => this.#options.core.cutBack(shard, epoch, sequence));
  }

  /** Reads a log that failed anew; rejects as `cutBack` does. Any other stays as it is. */
  reopen(shard: number): Promise<void> {
    return this.#readAnew(shard, () => reopenLog(this.#options.core, shard));
  }

  /** Who watches begins anew: what it is told of may be cut, and the store becomes another. */
  #readAnew(shard: number, read: () => Promise<unknown>): Promise<void> {
    const { core } = this.#options;
    return this.#inTurn(async () => {
      this.#closed.add(shard);
      core.endSubscriptions(shard);
      try {
        await read();
        this.#closed.delete(shard);
      } catch (caught) {
        const state = await core.shardState(shard).catch(() => null);
        if (state !== null) this.#closed.delete(shard);
        throw caught;
      } finally {
        core.endSubscriptions(shard);
      }
    });
  }

  /** The rules of shards may be others than before. */
  async followRules(): Promise<void> {
    const { layoutNow, core } = this.#options;
    const open = this.opened.filter((shard) => layoutNow().has(shard));
    for (const shard of open) {
      if (!core.closed && layoutNow().has(shard)) await this.#tellRules(shard);
    }
  }

  async #tellRules(shard: number): Promise<void> {
    const { core, rulesOf } = this.#options;
    const { raw, multicast, lagAfterMs } = rulesOf(shard);
    const text = JSON.stringify([raw, multicast, lagAfterMs]);
    if (this.#told.get(shard) === text) return;
    // It may not be open by then.
    this.#told.delete(shard);
    const { algorithm, blockBytes: blockSize } = multicast;
    const blocks = { multicast: multicastAlgorithms[algorithm], blockSize };
    await setShardRules(core, { shard, raw, ...blocks });
    this.#told.set(shard, text);
    core.addon.watchLag(core.handle, shard, lagAfterMs);
  }

  /** Mends and opens what was damaged when opened; refused is what nobody has a good copy of. */
  async openRest(): Promise<void> {
    for (const layout of this.#held) {
      const { shard } = layout;
      if (!this.#closed.has(shard) || this.#refusals.has(shard)) continue;
      await this.#inTurn(() => this.#mendClosed(layout));
    }
  }

  /** Another view is installed: its members may have what nobody had, or have undone it. */
  seeView(number: number): void {
    if (this.#view === number) return;
    this.#view = number;
    for (const layout of this.#held) {
      const { shard } = layout;
      if (this.#closed.has(shard) && this.#refusals.has(shard)) this.#mendLater(layout, 0);
    }
  }

  /** The history of a shard is found not to be that of most. */
  refuseHistory(shard: number, version: number | null, minority: readonly number[]): void {
    const error = historyDiffers(this.#options.dataFolder, shard, version, minority);
    if (!this.#refusals.has(shard)) this.#refuse(shard, error);
  }

  /** All members: what they hold, whether it is sound (`scrub`: read again now) and the same. */
  async verify(scrub: boolean): Promise<VerifyReport> {
    const { core, messages, layoutNow, log } = this.#options;
    const layout = layoutNow();
    const nodes = layout.members.filter((node) => node === core.nodeId || messages.up.has(node));
    return verifyShards({ messages, layout, homes: this.#options.homes, nodes, scrub, log });
  }

  get #held(): readonly ShardLayout[] {
    return [...this.#opened.values()].filter(({ persistent }) => persistent);
  }

  async close(): Promise<void> {
    this.#ended = true;
    for (const cancel of this.#timers.values()) cancel();
    // A step may be cut off by the end.
    await this.#scrubbing?.catch(() => undefined);
  }

  #onDamage(shard: number, segment: number, offset: number): void {
    const segments = this.#damage.get(shard) ?? new Map<number, number>();
    const isNew = !segments.has(segment);
    this.#damage.set(shard, segments.set(segment, offset));
    if (!isNew) return;
    this.#options.log.error({ shard, segment, offset }, 'a log is damaged');
    if (!this.#closed.has(shard)) this.#mendSoon(shard);
  }

  #mendSoon(shard: number): void {
    this.#inTurn(() => this.#mendOpen(shard)).catch((caught: unknown) => {
      if (this.#ended || this.#options.core.closed) return;
      this.#options.log.error({ shard, error: messageOf(caught) }, 'mending a log failed');
    });
  }

  /** One after the other: two that mend the same would be in each other's way. */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const mine = this.#mending.then(run);
    this.#mending = mine.catch(() => undefined);
    return mine;
  }

  /** Its row came before the read's answer, so the mending of it is under way. */
  async #whenMended(shard: number): Promise<void> {
    await this.#mending;
    const [place] = this.#damage.get(shard) ?? [];
    if (place !== undefined) throw noGoodCopy(this.#options.dataFolder, shard, place);
  }

  async #mendOpen(shard: number): Promise<void> {
    const segments = this.#damage.get(shard) ?? new Map<number, number>();
    for (const segment of [...segments.keys()]) {
      if (this.#ended) return;
      const { filled, left } = await this.#repair.mend(shard, true, segment);
      this.#counts.repaired += filled;
      if (left.length === 0) {
        segments.delete(segment);
        this.#options.log.info({ shard, segment, filled }, 'a log was mended');
      }
    }
    if (segments.size === 0) {
      this.#damage.delete(shard);
      return;
    }
    this.#later(`mend ${String(shard)}`, groupLimits.mendPauseMs, () => {
      this.#mendSoon(shard);
    });
  }

  async #mendClosed(layout: ShardLayout): Promise<void> {
    const { shard } = layout;
    // Another view may have had it mended while this waited for its turn.
    if (this.#ended || !this.#closed.has(shard)) return;
    const { filled, left, isLoose } = await this.#repair.mend(shard, false, null);
    this.#counts.repaired += filled;
    const [hole] = left;
    const isUndone = isLoose && this.#options.runsWithoutMe(shard);
    if (hole === undefined) await this.#openNow(layout);
    else if (isUndone) await this.#openNow(layout, hole.before ?? beforeAll);
    if (!this.#closed.has(shard)) {
      const cut = hole?.before ?? null;
      this.#options.log.info({ shard, filled, cut }, 'a log was mended and opened');
      if (this.#refusals.delete(shard)) this.#options.onRefusals();
      return;
    }
    const [place] = this.#damage.get(shard) ?? [];
    const error = noGoodCopy(
      this.#options.dataFolder,
      shard,
      hole === undefined ? (place ?? [0, 0]) : [hole.segment, hole.begin],
    );
    this.#refuse(shard, error);
    this.#mendLater(layout, groupLimits.mendPauseMs);
  }

  #mendLater(layout: ShardLayout, delayMs: number): void {
    const { shard } = layout;
    this.#later(`mend ${String(shard)}`, delayMs, () => {
      this.#inTurn(() => this.#mendClosed(layout)).catch((caught: unknown) => {
        this.#options.log.error({ shard, error: messageOf(caught) }, 'mending a log failed');
      });
    });
  }

  #refuse(shard: number, error: FreshetError): void {
    this.#refusals.set(shard, error);
    this.#options.onRefusals();
  }

  /** `hurries`: somebody waits for it. Whoever comes while one runs waits for that one. */
  #scrub(hurries: boolean): Promise<void> {
    this.#hurries ||= hurries;
    this.#scrubbing ??= this.#scrubAll().finally(() => {
      this.#scrubbing = null;
      this.#hurries = false;
    });
    return this.#scrubbing;
  }

  async #scrubAll(): Promise<void> {
    for (const { shard } of this.#held) {
      let place: LogPlace | null = logStart;
      while (place !== null && !this.#ended && !this.#closed.has(shard)) {
        place = await this.#scrubOn(shard, place);
      }
    }
    this.#counts.scrubPasses++;
  }

  /** null: that was all. */
  async #scrubOn(shard: number, from: LogPlace): Promise<LogPlace | null> {
    const step = await scrubStep(this.#options.core, shard, from);
    if (step === null) {
      await this.#pause(groupLimits.scrubPauseMs);
      return from;
    }
    const { next, bytes, end, damage } = step;
    this.#counts.scrubbedBytes += bytes;
    if (damage !== null) this.#onDamage(shard, ...damage);
    if (!this.#hurries && bytes > 0) {
      await this.#pause((bytes / this.#options.scrubBytesPerSecond) * 1000);
    }
    return next[0] === end[0] && next[1] === end[1] ? null : next;
  }

  async #tellCare(isThorough: boolean): Promise<readonly ShardCare[]> {
    if (isThorough) {
      await this.#scrub(true);
      await this.#mending;
    }
    const care: ShardCare[] = [];
    for (const { shard } of this.#held) {
      const damage = [...(this.#damage.get(shard) ?? [])];
      care.push({ shard, damage, history: await this.#history(shard) });
    }
    return care;
  }

  async #history(shard: number): Promise<History | null> {
    return this.#closed.has(shard) ? null : readHistory(this.#options.core, shard);
  }

  /** With every member of each of my shards; whoever is in the minority stops it. */
  async #compareAll(): Promise<void> {
    const { core, messages, layoutNow, homes, log } = this.#options;
    const { members: all } = layoutNow();
    const nodes = all.filter((node) => node === core.nodeId || messages.up.has(node));
    const told = await historiesOf({ messages, nodes, scrub: false, log });
    for (const { shard } of this.#held) {
      const members = homes(shard);
      if (!members.includes(core.nodeId)) continue;
      const histories = told(shard);
      for (const node of histories.keys()) if (!members.includes(node)) histories.delete(node);
      const { version, minority } = compareHistories(histories, members.length);
      if (minority.length === 0) continue;
      this.#counts.differences++;
      log.error({ shard, version, minority }, 'members hold different histories');
      if (minority.includes(core.nodeId)) this.refuseHistory(shard, version, minority);
    }
  }

  #every(name: string, periodMs: number, run: () => Promise<void>): void {
    if (periodMs === 0) return;
    this.#later(name, periodMs, () => {
      run()
        .catch((caught: unknown) => {
          this.#options.log.warn({ error: messageOf(caught) }, `a ${name} of the logs failed`);
        })
        .finally(() => {
          this.#every(name, periodMs, run);
        });
    });
  }

  #later(name: string, delayMs: number, run: () => void): void {
    this.#timers.get(name)?.();
    if (this.#ended) return;
    this.#timers.set(
      name,
      this.#options.clock.after(delayMs, () => {
        this.#timers.delete(name);
        run();
      }),
    );
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(delayMs, resolve);
    });
  }
}
