import { expect, test } from 'vitest';
import {
  coatOf,
  cowSeedFor,
  frameSeedFor,
  renderFrame,
} from '../../../../pipelines/dairy/camera/mod.ts';
import type { FrameRequest } from '../../../../pipelines/dairy/camera/mod.ts';
import { decoded } from '../../../../pipelines/dairy/train/pixels.ts';

const request: FrameRequest = {
  cowSeed: cowSeedFor('test', 7, 5),
  frameSeed: frameSeedFor('test', 11, 5),
  difficulty: 'hard',
};

test('the same seeds draw the same bytes, another seed draws others', async () => {
  const first = await renderFrame(request);
  const again = await renderFrame(request);
  expect(again.jpeg.equals(first.jpeg)).toBe(true);
  expect(again.truth).toEqual(first.truth);
  const frameSeed = frameSeedFor('test', 12, 5);
  const otherFrame = await renderFrame({ ...request, frameSeed });
  const otherCow = await renderFrame({ ...request, cowSeed: cowSeedFor('test', 8, 5) });
  expect(otherFrame.jpeg.equals(first.jpeg)).toBe(false);
  expect(otherCow.jpeg.equals(first.jpeg)).toBe(false);
});

test('the frame seed alone decides pose and place, the cow seed the coat', async () => {
  const cowSeed = cowSeedFor('test', 9, 5);
  const one = await renderFrame(request);
  const other = await renderFrame({ ...request, cowSeed });
  expect(other.truth.box).toEqual(one.truth.box);
  expect(other.truth.coat).toBe(coatOf(cowSeed).colour);
});

test.each(['ordinary', 'hard'] as const)('a cow stands wholly inside an %s frame', async (kind) => {
  for (let i = 0; i < 40; i++) {
    const seeds = { cowSeed: cowSeedFor('test', i, 6), frameSeed: frameSeedFor('test', i, 6) };
    const { truth } = await renderFrame({ ...seeds, difficulty: kind });
    expect(truth.cow).toBe(true);
    expect(truth.partial).toBe(false);
    const { x, y, width, height } = truth.box ?? { x: -1, y: -1, width: 0, height: 0 };
    expect(x).toBeGreaterThanOrEqual(0);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(640);
    expect(y + height).toBeLessThanOrEqual(480);
    expect(width).toBeGreaterThan(200);
    expect(height).toBeGreaterThan(130);
  }
});

test('the box is where the cow is: outside it the frame is that of another cow', async () => {
  // Low noise and compression would be needed for equality; the means of blocks are close.
  const frameSeed = frameSeedFor('test', 3, 8);
  const white = await seedOf('white');
  const black = await seedOf('black');
  const one = await renderFrame({ cowSeed: white, frameSeed, difficulty: 'ordinary' });
  const two = await renderFrame({ cowSeed: black, frameSeed, difficulty: 'ordinary' });
  const { x, y, width, height } = one.truth.box ?? { x: 0, y: 0, width: 0, height: 0 };
  const [a, b] = await Promise.all([decoded(one.jpeg), decoded(two.jpeg)]);
  const sums = { inside: 0, insideCount: 0, outside: 0, outsideCount: 0 };
  for (let py = 0; py < a.height; py++) {
    for (let px = 0; px < a.width; px++) {
      const at = 3 * (py * a.width + px) + 1;
      const difference = Math.abs((a.data[at] ?? 0) - (b.data[at] ?? 0));
      const isNear = px > x - 12 && px < x + width + 12 && py > y - 12 && py < y + height + 12;
      sums[isNear ? 'inside' : 'outside'] += difference;
      sums[isNear ? 'insideCount' : 'outsideCount'] += 1;
    }
  }
  expect(sums.inside / sums.insideCount).toBeGreaterThan(15);
  expect(sums.outside / sums.outsideCount).toBeLessThan(1);
});

test('frames without a cow have no box and no coat, and some show an end of one', async () => {
  let partials = 0;
  for (let i = 0; i < 60; i++) {
    const frameSeed = frameSeedFor('test', i, 7);
    const { truth } = await renderFrame({ cowSeed: null, frameSeed, difficulty: 'ordinary' });
    expect(truth).toMatchObject({ cow: false, box: null, coat: null });
    if (truth.partial) partials += 1;
  }
  expect(partials).toBeGreaterThan(3);
  expect(partials).toBeLessThan(30);
});

test('another size shows the same scene, and the box scales with it', async () => {
  const normal = await renderFrame(request);
  const small = await renderFrame({ ...request, width: 320, height: 240 });
  const { width, height } = await decoded(small.jpeg);
  expect([width, height]).toEqual([320, 240]);
  expect(small.truth.box?.x).toBeCloseTo((normal.truth.box?.x ?? 0) / 2, 6);
  expect(small.truth.box?.height).toBeCloseTo((normal.truth.box?.height ?? 0) / 2, 6);
});

async function seedOf(colour: 'white' | 'black'): Promise<number> {
  for (let i = 0; ; i++) {
    const seed = cowSeedFor('test', i, 9);
    if (coatOf(seed).colour === colour) return seed;
  }
}
