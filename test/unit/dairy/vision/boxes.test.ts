import { expect, test } from 'vitest';
import {
  clipBox,
  growBox,
  iou,
  suppressOverlaps,
} from '../../../../pipelines/dairy/vision/boxes.ts';

const box = (x: number, y: number, width: number, height: number) => ({ x, y, width, height });
const found = (x: number, score: number, classIndex = 0) => ({
  box: box(x, 0, 10, 10),
  score,
  classIndex,
  label: String(classIndex),
});

test('overlap of a box with itself, a half, and a neighbour', () => {
  expect(iou(box(0, 0, 10, 10), box(0, 0, 10, 10))).toBe(1);
  expect(iou(box(0, 0, 10, 10), box(5, 0, 10, 10))).toBeCloseTo(1 / 3);
  expect(iou(box(0, 0, 10, 10), box(10, 0, 10, 10))).toBe(0);
});

test('of overlapping boxes of a class the best stays, other classes are left alone', () => {
  const kept = suppressOverlaps(
    [found(1, 0.5), found(0, 0.9), found(1, 0.8, 1), found(30, 0.4)],
    0.5,
    9,
  );
  expect(kept.map(({ score }) => score)).toEqual([0.9, 0.8, 0.4]);
});

test('a box at the limit of the overlap stays, and the count is bounded', () => {
  const third = [found(0, 0.9), found(5, 0.8)];
  expect(suppressOverlaps(third, 1 / 3, 9)).toHaveLength(2);
  expect(suppressOverlaps(third, 0.33, 9)).toHaveLength(1);
  expect(suppressOverlaps(third, 1, 1)).toHaveLength(1);
});

test('growing and clipping', () => {
  expect(growBox(box(10, 10, 100, 40), 0.125)).toEqual(box(-2.5, 5, 125, 50));
  expect(clipBox(box(-5, 2, 10, 100), 50, 20)).toEqual(box(0, 2, 5, 18));
  expect(clipBox(box(60, 2, 10, 10), 50, 20)).toBeNull();
  expect(clipBox(box(1, 1, NaN, 10), 50, 20)).toBeNull();
});
