/** A member of the rows about views: tells each as it is installed, and how long puts stall. */
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { toFreshetError } from '../../../platform/base/mod.ts';
import { type ParentCall, runMemberProcess } from '../../../platform/member-process.ts';
import type { PoolOptions } from '../../../platform/store/mod.ts';
import { percentile } from '../statistics.ts';

/** A view at a member, by the clock that all processes of the machine share. */
export interface ViewNews {
  readonly type: 'view';
  readonly number: number;
  readonly running: boolean;
  /** ms */
  readonly at: number;
}

/** What one writer of a pool met, one put after the other. */
export interface Stalls {
  readonly puts: number;
  readonly longestMs: number;
  readonly failures: readonly string[];
}

const wallMs = (): number => performance.timeOrigin + performance.now();

const value = Buffer.alloc(100, 0x6d);
const batch = 500;
let writing: { stop: boolean; readonly done: Promise<Stalls> } | null = null;

const tellViews: ParentCall = (member) => {
  void (async () => {
    let last = -1;
    for await (const { number, running } of member.group.watchView()) {
      if (number === last && !running) continue;
      last = number;
      const news: ViewNews = { type: 'view', number, running, at: wallMs() };
      process.send?.(news);
    }
  })();
  return Promise.resolve(null);
};

const startPuts: ParentCall = (member, prefix) => {
  const state = { stop: false };
  const run = async (): Promise<Stalls> => {
    const failures: string[] = [];
    let puts = 0;
    let longestMs = 0;
    while (!state.stop) {
      const began = performance.now();
      const key = `${prefix as string}/${String(puts % 100)}`;
      try {
        await member.store.objects.put({ key, value, timeoutMs: 10_000 });
        puts++;
      } catch (caught) {
        failures.push(toFreshetError(caught).code);
      }
      longestMs = Math.max(longestMs, performance.now() - began);
      await turn();
    }
    return { puts, longestMs, failures };
  };
  writing = Object.assign(state, { done: run() });
  return Promise.resolve(null);
};

const calls: Readonly<Record<string, ParentCall>> = {
  tellViews,
  startPuts,
  takePuts: async () => {
    if (writing === null) return null;
    writing.stop = true;
    return writing.done;
  },
  measureRate: async (member, argument) => {
    const { prefix, lanes, ms } = argument as { prefix: string; lanes: number; ms: number };
    const began = performance.now();
    let puts = 0;
    const lane = async (_: unknown, nth: number): Promise<void> => {
      for (; performance.now() - began < ms; puts++) {
        const key = `${prefix}/${String(nth)}`;
        await member.store.objects.put({ key, value, timeoutMs: 10_000 });
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return (puts * 1000) / (performance.now() - began);
  },
  /** Of puts that are due at a steady rate, however long others take: p99 from when they were. */
  measureDelay: async (member, argument) => {
    const { prefix, perSecond, ms } = argument as { prefix: string; perSecond: number; ms: number };
    const began = performance.now();
    const tookMs: number[] = [];
    const open: Promise<void>[] = [];
    const put = async (nth: number, dueMs: number): Promise<void> => {
      const key = `${prefix}/${String(nth % 100)}`;
      await member.store.objects.put({ key, value, timeoutMs: 10_000 });
      tookMs.push(performance.now() - dueMs);
    };
    for (let nth = 0, dueMs = began; dueMs - began < ms; nth++, dueMs += 1000 / perSecond) {
      while (performance.now() < dueMs) await pause(1);
      open.push(put(nth, dueMs));
    }
    await Promise.all(open);
    return percentile(tookMs, 0.99);
  },
  createPool: (member, options) => member.store.objects.createPool(options as PoolOptions),
  /** `count` versions of 100 B over a thousand keys, in batches. */
  rewrite: async (member, argument) => {
    const { prefix, count } = argument as { prefix: string; count: number };
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < count) {
        const first = next;
        next = Math.min(count, next + batch);
        const requests = Array.from({ length: next - first }, (_, nth) => {
          return { key: `${prefix}/${String((first + nth) % 1000)}`, value, timeoutMs: 60_000 };
        });
        const outcomes = await member.store.objects.putMany(requests);
        for (const outcome of outcomes) if (outcome instanceof Error) throw outcome;
      }
    };
    await Promise.all(Array.from({ length: 4 }, lane));
    return null;
  },
  /** `count` values of `size` bytes each, many under way. */
  fill: async (member, argument) => {
    const { prefix, count, size } = argument as { prefix: string; count: number; size: number };
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let nth = next++; nth < count; nth = next++) {
        const key = `${prefix}/${String(nth)}`;
        await member.store.objects.put({ key, value: Buffer.alloc(size, nth), timeoutMs: 60_000 });
      }
    };
    await Promise.all(Array.from({ length: 64 }, lane));
    return null;
  },
};

runMemberProcess({ calls });
