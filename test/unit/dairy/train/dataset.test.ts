import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { coatOf, seedRangeOf } from '../../../../pipelines/dairy/camera/mod.ts';
import { buildShard, shotsOf, windowSize } from '../../../../pipelines/dairy/train/dataset.ts';
import { frameSize } from '../../../../pipelines/dairy/train/pixels.ts';

const plan = { draw: 4, cowsPerCoat: 3, ordinaryPerCow: 2, hardPerCow: 1, empties: 6 };

test('a plan draws as many cows of each coat, from the training range alone', () => {
  const shots = shotsOf(plan);
  expect(shots).toHaveLength(6 * 3 + 6);
  for (const { cowSeed, frameSeed, coat } of shots) {
    expect(seedRangeOf(frameSeed)).toBe('train');
    if (cowSeed === null) continue;
    expect(seedRangeOf(cowSeed)).toBe('train');
    expect(coatOf(cowSeed).colour).toBe(coat);
  }
  expect(new Set(shots.map(({ frameSeed }) => frameSeed)).size).toBe(shots.length);
  for (const coat of ['white', 'black']) {
    const cows = new Set(shots.filter((shot) => shot.coat === coat).map(({ cow }) => cow));
    expect([...cows].sort()).toEqual([0, 1, 2]);
  }
});

test('another draw shares no cow and no frame', () => {
  const seeds = (draw: number): number[] =>
    shotsOf({ ...plan, draw }).flatMap(({ cowSeed, frameSeed }) => [cowSeed ?? -1, frameSeed]);
  const others = new Set(seeds(5));
  others.delete(-1);
  expect(seeds(4).some((seed) => others.has(seed))).toBe(false);
});

test('two shards hold every shot once, as bytes of the promised size and labels', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-shard-'));
  try {
    let labelled = 0;
    let cows = 0;
    for (const shard of [0, 1]) {
      await buildShard(plan, folder, shard, 2, () => {});
      const text = await readFile(join(folder, `labels-${shard}.jsonl`), 'utf8');
      const lines = text.trimEnd().split('\n');
      const labels = lines.map((line) => JSON.parse(line) as { cow: number; box: number[] });
      const own = labels.filter(({ cow }) => cow >= 0);
      const frames = await stat(join(folder, `frames-${shard}.bin`));
      const windows = await stat(join(folder, `windows-${shard}.bin`));
      expect(frames.size).toBe(labels.length * 3 * frameSize.width * frameSize.height);
      expect(windows.size).toBe(own.length * 3 * windowSize.width * windowSize.height);
      for (const { box } of own) {
        const [left = -1, top = -1, right = 2, bottom = 2] = box;
        expect(left >= 0 && top >= 0 && right <= 1 && bottom <= 1).toBe(true);
        expect(right - left > 0.3 && bottom - top > 0.2).toBe(true);
      }
      labelled += labels.length;
      cows += own.length;
    }
    expect([labelled, cows]).toEqual([24, 18]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
