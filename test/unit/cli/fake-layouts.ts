import type { HeldShard, LayoutReport } from '../../../platform/base/mod.ts';

/** One shard of a cluster of three members. */
export function reportOf(members: readonly number[], given: Partial<HeldShard> = {}): LayoutReport {
  const place = { shard: 2, subgroup: 'milk', index: 0, min: 1, max: 3, reserved: [], version: 1 };
  const lists = { members, homes: members, wanted: members, leaving: [] };
  const layout = { version: 1, source: '', exclusive: false };
  const shards = [{ ...place, ...lists, ...given }];
  return { view: 1, members: [1, 2, 3], ...layout, shards };
}

/** A cluster that shows these layouts one after the other, the last one for ever. */
export function fakeLayouts(reports: readonly LayoutReport[], waitMs: number) {
  let nowMs = 0;
  let nth = 0;
  const notes: string[] = [];
  const watch = {
    clock: { monotonicMs: () => nowMs },
    sleep: (delayMs: number) => {
      nowMs += delayMs;
      return Promise.resolve();
    },
    note: (text: string) => {
      notes.push(text);
    },
    waitMs,
  };
  const layout = () =>
    Promise.resolve(reports[Math.min(nth++, reports.length - 1)] as LayoutReport);
  return { notes, watch, layout, nowMs: () => nowMs };
}
