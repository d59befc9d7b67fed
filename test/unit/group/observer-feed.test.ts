import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FreshetError, ManualClock, silentLogger } from '../../../platform/base/mod.ts';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import { ObserverFeed } from '../../../platform/group/observer-feed.ts';
import type { CoreView } from '../../../platform/group/view-codec.ts';
import { encodeView, ViewDecoder } from '../../../platform/group/view-codec.ts';
import { shardOf, viewOf } from './plan-samples.ts';

const afterMs = 300;
const keepUpMs = 3000;
const shard = 1;

interface Place {
  epoch: number;
  sequence: number;
}

/** Member 3 observes shard 1, which members 1 and 2 run in epoch 5. */
class Observer {
  readonly clock = new ManualClock();
  readonly told: boolean[] = [];
  readonly donors: number[] = [];
  readonly there: Place = { epoch: 5, sequence: 0 };
  readonly mine: Place = { epoch: 4, sequence: 9 };
  proposal: CoreView | null = null;
  installed = viewOf(9, 8, [1, 2, 3], [shardOf(shard, 5, [1, 2])]);
  /** Records that one chunk brings. */
  chunk = 100;
  isDown = false;
  appended = 0;
  readonly feed: ObserverFeed;

  constructor() {
    const view = () => ({
      installed: encodeView(this.installed),
      proposal: this.proposal === null ? null : encodeView(this.proposal),
      vote: '0',
    });
    const views = new ViewDecoder();
    const core = { addon: { view }, views, handle: null, nodeId: 3, closed: false };
    const filler = {
      trust: () => undefined,
      follow: (fill: { donor: number }, _mine: Place, epochMax: number) =>
        this.#take(fill, epochMax),
    };
    const messages = {
      up: new Set([1, 2]),
      handle: () => undefined,
      call: () =>
        this.isDown
          ? Promise.reject(new FreshetError('UNREACHABLE', 'it is down'))
          : Promise.resolve([this.there.epoch, this.there.sequence]),
    };
    const parts = { core, filler, messages } as unknown as Pick<
      ConstructorParameters<typeof ObserverFeed>[0],
      'core' | 'filler' | 'messages'
    >;
    this.feed = new ObserverFeed({
      ...parts,
      clock: this.clock,
      log: silentLogger(),
      position: () => Promise.resolve({ shard, version: 0, digest: '', ...this.mine }),
      queue: (round) => round(new AbortController().signal),
      onKeepsUp: (_shard, ready) => this.told.push(ready),
    });
    this.feed.set([{ shard, afterMs, keepUpMs }]);
  }

  /** Rounds follow each other after pauses of this member's own clock. */
  async rounds(count: number, pauseMs: number = groupLimits.observePauseMs): Promise<void> {
    for (let nth = 0; nth < count; nth++) {
      for (let step = 0; step < 20; step++) await turn();
      this.clock.advance(pauseMs);
    }
    for (let step = 0; step < 20; step++) await turn();
  }

  #take({ donor }: { donor: number }, epochMax: number): Promise<boolean> {
    this.donors.push(donor);
    if (this.there.epoch > epochMax) return Promise.resolve(false);
    const from = this.mine.epoch === this.there.epoch ? this.mine.sequence : -1;
    const sequence = Math.min(this.there.sequence, from + this.chunk);
    const isMore = sequence > from;
    Object.assign(this.mine, { epoch: this.there.epoch, sequence });
    this.appended += isMore ? 1 : 0;
    return Promise.resolve(isMore);
  }
}

describe('an observer', () => {
  test('keeps up once nothing it had was older than may be, for long enough', async () => {
    const observer = new Observer();
    for (let nth = 0; nth < keepUpMs / groupLimits.observePauseMs; nth++) {
      expect(observer.told).toEqual([]);
      observer.there.sequence += 10;
      await observer.rounds(1);
    }
    await observer.rounds(1);
    expect(observer.told).toEqual([true]);
    expect(observer.mine).toEqual(observer.there);
    expect(observer.feed.lagMs(shard)).toBeLessThanOrEqual(groupLimits.observePauseMs);
  });

  test('does not keep up while it pauses for longer than others would wait', async () => {
    const observer = new Observer();
    for (let nth = 0; nth < 20; nth++) {
      await observer.rounds(2);
      await observer.rounds(1, afterMs + 1);
    }
    expect(observer.told).toEqual([]);
    expect(observer.mine).toEqual(observer.there);
  });

  test('tells that it fell behind again', async () => {
    const observer = new Observer();
    await observer.rounds(keepUpMs / groupLimits.observePauseMs + 2);
    observer.there.sequence = 10_000;
    observer.chunk = 1;
    await observer.rounds(20);
    observer.chunk = 100_000;
    await observer.rounds(2);
    expect(observer.told).toEqual([true, false]);
  });

  test('takes nothing while a view is on its way, nor of epochs that it may be in', async () => {
    const observer = new Observer();
    observer.proposal = viewOf(10, 9, [1, 2, 3], [shardOf(shard, 6, [1, 2, 3])]);
    observer.there.sequence = 50;
    await observer.rounds(10);
    expect(observer.appended).toBe(0);
    observer.proposal = null;
    Object.assign(observer.there, { epoch: 6, sequence: 3 });
    await observer.rounds(100);
    expect(observer.mine.epoch).toBe(4);
    expect(observer.told).toEqual([]);
  });

  test('takes nothing of a shard that it runs, that is closed, or that it follows no more', async () => {
    for (const nodes of [[1, 2, 3], []]) {
      const observer = new Observer();
      observer.installed = viewOf(9, 8, [1, 2, 3], [shardOf(shard, 5, nodes)]);
      observer.there.sequence = 50;
      await observer.rounds(5);
      expect(observer.appended).toBe(0);
    }
    const observer = new Observer();
    observer.feed.set([]);
    observer.there.sequence = 50;
    await observer.rounds(5);
    expect(observer.appended).toBe(0);
    expect(observer.feed.lagMs(shard)).toBeNull();
  });

  test('asks another member when one fails, and goes on', async () => {
    const observer = new Observer();
    observer.isDown = true;
    await observer.rounds(1);
    observer.isDown = false;
    observer.there.sequence = 500;
    await observer.rounds(3);
    observer.isDown = true;
    await observer.rounds(1);
    observer.isDown = false;
    observer.there.sequence = 1000;
    await observer.rounds(3);
    expect(new Set(observer.donors)).toEqual(new Set([1, 2]));
    expect(observer.mine.sequence).toBeGreaterThan(500);
  });
});
