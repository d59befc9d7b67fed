import { expect, test } from 'vitest';
import { pixelVector, thresholdFor } from '../../../../pipelines/dairy/train/baseline.ts';
import type { Reading } from '../../../../pipelines/dairy/train/evaluate.ts';
import { Nearby } from '../../../../pipelines/dairy/train/nearest.ts';
import { cropped, grownWindow, stretched } from '../../../../pipelines/dairy/train/pixels.ts';
import { pooled } from '../../../../pipelines/dairy/train/pooled.ts';
import { leastStrained } from '../../../../pipelines/dairy/train/thresholds.ts';

const frame = { width: 100, height: 80 };

test('a window grows on every side, on whole pixels, and ends at the frame', () => {
  const grown = grownWindow({ x: 20.4, y: 30.6, width: 40, height: 20 }, 0.05, frame);
  expect(grown).toEqual({ x: 18, y: 29, width: 45, height: 23 });
  const cut = grownWindow({ x: -4, y: 70, width: 120, height: 20 }, 0.1, frame);
  expect(cut).toEqual({ x: 0, y: 68, width: 100, height: 12 });
  const outside = grownWindow({ x: 300, y: -90, width: 5, height: 5 }, 0.1, frame);
  expect(outside).toEqual({ x: 99, y: 0, width: 1, height: 1 });
});

test('a crop holds the pixels of its window', async () => {
  const data = Buffer.alloc(3 * frame.width * frame.height);
  for (let i = 0; i < data.length; i += 3) data[i] = (i / 3) % frame.width;
  const size = { width: 10, height: 10 };
  const crop = await cropped({ data, ...frame }, { x: 40, y: 5, width: 10, height: 10 }, size);
  expect([crop[0], crop[3 * 9], crop[1]]).toEqual([40, 49, 0]);
  expect(await stretched({ data, ...frame }, frame)).toEqual(data);
});

test('the pixel baseline sees patterns and not light', async () => {
  const pattern = (gain: number, shift: number): Buffer => {
    const data = Buffer.alloc(3 * frame.width * frame.height);
    for (let i = 0; i < data.length; i++) data[i] = gain * (((i + shift) * 7919) % 101) + 20;
    return data;
  };
  const box = { x: 0, y: 0, ...frame };
  const vector = (data: Buffer): Promise<Float32Array> => pixelVector({ data, ...frame }, box);
  const [dark, bright] = await Promise.all([vector(pattern(0.5, 0)), vector(pattern(1.5, 0))]);
  const nearby = new Nearby();
  nearby.add(1, dark);
  expect(nearby.nearest(bright)?.cosine).toBeGreaterThan(0.98);
  expect(nearby.nearest(await vector(pattern(1, 40)))?.cosine).toBeLessThan(0.9);
});

test('the nearest is the one of the highest cosine, and none where nothing is', () => {
  const nearby = new Nearby();
  expect(nearby.nearest(Float32Array.of(1, 0))).toBeNull();
  nearby.add(3, Float32Array.of(1, 0));
  nearby.add(4, Float32Array.of(0, 1));
  expect(nearby.nearest(Float32Array.of(0.6, 0.8))?.name).toBe(4);
});

test('the threshold of a share lets that share pass and no more', () => {
  const cosines = Array.from({ length: 100 }, (_, i) => i / 100);
  const threshold = thresholdFor(cosines, 0.05);
  expect(cosines.filter((cosine) => cosine >= threshold)).toHaveLength(5);
});

test('a pool keeps the order and never exceeds its width', async () => {
  let running = 0;
  let most = 0;
  const doubled = await pooled([5, 1, 4, 2, 3], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn++) await Promise.resolve();
    running -= 1;
    return item * 2;
  });
  expect(doubled).toEqual([10, 2, 8, 4, 6]);
  expect(most).toBe(2);
});

test('the chosen threshold lies between strangers and known cows', () => {
  const readings = Array.from({ length: 50 }, (_, i) => [
    reading('enrolled', 0.7 + i / 500),
    reading('stranger', 0.5 - i / 500),
  ]).flat();
  const threshold = leastStrained(readings, 'white');
  expect(threshold).toBeGreaterThan(0.5);
  expect(threshold).toBeLessThanOrEqual(0.7);
});

function reading(kind: Reading['kind'], cosine: number): Reading {
  const box = { x: 0, y: 0, width: 1, height: 1 };
  return {
    kind,
    cow: 1,
    difficulty: 'ordinary',
    truth: { cow: true, box, coat: 'white', partial: false },
    scene: { found: true, score: 1, box, coat: 'white', black: 0 },
    iou: 1,
    nearest: { name: 1, cosine },
    pixelNearest: null,
  };
}
