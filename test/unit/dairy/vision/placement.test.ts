import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resizeModes } from '../../../../pipelines/dairy/vision/model-config.ts';
import {
  boxToPicture,
  placePicture,
  wholePixels,
} from '../../../../pipelines/dairy/vision/placement.ts';

const region = (width: number, height: number, x = 0, y = 0) => ({ x, y, width, height });
const input = { width: 416, height: 416 };

test('a wide picture in a square letterbox lies at the top or in the middle', () => {
  const top = placePicture(region(832, 416), input, 'letterbox-top-left');
  expect(top.target).toEqual(region(416, 208));
  const middle = placePicture(region(832, 416), input, 'letterbox-center');
  expect(middle.target).toEqual(region(416, 208, 0, 104));
});

test('cover takes the middle of the picture and fills the input', () => {
  const { source, target } = placePicture(region(832, 416, 10, 20), input, 'cover');
  expect(source).toEqual(region(416, 416, 218, 20));
  expect(target).toEqual(region(416, 416));
});

test('the corners of what was placed map back to the corners that were asked for', () => {
  const size = fc.integer({ min: 1, max: 3000 });
  const property = fc.property(
    fc.record({ width: size, height: size, x: size, y: size }),
    fc.constantFrom(...resizeModes),
    (asked, mode) => {
      const placement = placePicture(asked, input, mode);
      const { source, target } = placement;
      const back = boxToPicture(target, placement);
      expect([back.x, back.y]).toEqual([source.x, source.y]);
      expect(back.width).toBeCloseTo(source.width);
      expect(back.height).toBeCloseTo(source.height);
      expect(source.x).toBeGreaterThanOrEqual(asked.x);
      expect(source.x + source.width).toBeLessThanOrEqual(asked.x + asked.width);
      expect(target.x + target.width).toBeLessThanOrEqual(input.width);
      expect(target.y + target.height).toBeLessThanOrEqual(input.height);
      expect(Math.min(source.width, source.height, target.width, target.height)).toBeGreaterThan(0);
    },
  );
  fc.assert(property, { seed: 7 });
});

test('only whole pixels inside the picture are taken', () => {
  expect(wholePixels(region(10.2, 5.5, -3.5, 2.5), 100, 6)).toEqual(region(7, 4, 0, 2));
  expect(wholePixels(region(10, 10, 100, 0), 100, 6)).toBeNull();
});
