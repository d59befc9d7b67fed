import { expect, test } from 'vitest';
import { decodeCowBox } from '../../../../pipelines/dairy/vision/decode-cow-box.ts';
import { decodeNanodet } from '../../../../pipelines/dairy/vision/decode-nanodet.ts';
import { decodeYolox } from '../../../../pipelines/dairy/vision/decode-yolox.ts';
import { DetectorClasses } from '../../../../pipelines/dairy/vision/detector-classes.ts';
import { findCow } from '../../../../pipelines/dairy/vision/find-cow.ts';
import { parseModelConfig } from '../../../../pipelines/dairy/vision/model-config.ts';
import type {
  CowBoxConfig,
  NanodetConfig,
  YoloxConfig,
} from '../../../../pipelines/dairy/vision/model-config.ts';

const near = (value: number) => expect.closeTo(value) as number;
const size = { width: 32, height: 32 };
const parsed = <T>(decoder: object): T => {
  const input = { name: 'i', ...size };
  return parseModelConfig({ name: 'm', file: 'f', input, decoder }).decoder as T;
};

test('yolox: one cell of the second stride becomes one box in pixels', () => {
  const config = parsed<YoloxConfig>({
    type: 'yolox',
    strides: [8, 16],
    classNames: ['dog', 'cow'],
  });
  const cells = 16 + 4;
  const data = new Float32Array(cells * 7);
  // Cell 3 of stride 16: column 1, row 1.
  data.set([0.5, 0.25, Math.log(2), Math.log(0.5), 0.9, 0.1, 0.8], (16 + 3) * 7);
  const outputs = [{ name: 'out', dims: [1, cells, 7], data }];
  const [only, ...more] = decodeYolox(outputs, size, config, new DetectorClasses(config));
  expect(more).toEqual([]);
  expect(only?.label).toBe('cow');
  expect(only?.score).toBeCloseTo(0.72);
  expect(only?.box.x).toBeCloseTo(24 - 16);
  expect(only?.box.y).toBeCloseTo(20 - 4);
  expect(only?.box.width).toBeCloseTo(32);
  expect(only?.box.height).toBeCloseTo(8);
});

test('nanodet: the mean of a distribution over distances', () => {
  const config = parsed<NanodetConfig>({
    type: 'nanodet',
    strides: [8],
    bins: 3,
    classNames: ['dog', 'cow'],
    classes: [1],
  });
  const scores = new Float32Array(16 * 2);
  scores.set([0.99, 0.6], 5 * 2);
  const distances = new Float32Array(16 * 12);
  // Left surely 2 strides, top evenly 0..2, right surely 0, bottom 1.
  distances.set([-99, -99, 99, 1, 1, 1, 99, -99, -99, -99, 99, -99], 5 * 12);
  const outputs = [
    { name: 'd', dims: [1, 16, 12], data: distances },
    { name: 's', dims: [1, 16, 2], data: scores },
  ];
  const found = decodeNanodet(outputs, size, config, new DetectorClasses(config));
  expect(found).toEqual([
    {
      classIndex: 1,
      label: 'cow',
      score: Math.fround(0.6),
      box: { x: 11.5 - 16, y: near(11.5 - 8), width: 16, height: near(16) },
    },
  ]);
  const wrong = [{ name: 's', dims: [1, 9, 2], data: new Float32Array(18) }];
  const decode = () => decodeNanodet(wrong, size, config, new DetectorClasses(config));
  expect(decode).toThrow('stride 8 scores [1, 16, classes] and distances [1, 16, 12]');
});

test('a class beyond those of the model is refused', () => {
  const config = parsed<YoloxConfig>({ type: 'yolox', strides: [32], classes: [9] });
  const outputs = [{ name: 'o', dims: [1, 1, 7], data: new Float32Array(7) }];
  const decode = () => decodeYolox(outputs, size, config, new DetectorClasses(config));
  expect(decode).toThrow('class 9 is wanted of a model with 2 classes');
});

test('cow-box: box in input pixels, coats of one name added up', () => {
  const config = parsed<CowBoxConfig>({
    type: 'cow-box',
    boxOutput: 'box',
    coatOutput: 'coat',
    coats: ['white', 'white', 'black'],
  });
  const outputs = [
    { name: 'box', dims: [1, 5], data: Float32Array.of(0.75, 0.5, 0.25, 0.5, 0.25) },
    { name: 'coat', dims: [1, 3], data: Float32Array.of(1, 1, 1.5) },
  ];
  const { score, box, coat } = decodeCowBox(outputs, size, config);
  expect(score).toBe(0.75);
  expect(box).toEqual({ x: 8, y: 4, width: 16, height: 8 });
  expect(coat?.name).toBe('white');
  expect(coat?.probability).toBeCloseTo((2 * Math.E) / (2 * Math.E + Math.exp(1.5)));
});

test('the best detection is the cow, an embedding is no filter', () => {
  const box = { x: 0, y: 0, width: 1, height: 1 };
  const detections = [{ box, score: 0.9, classIndex: 19, label: 'cow' }];
  expect(findCow({ kind: 'detections', detections })).toMatchObject({
    found: true,
    score: 0.9,
    box,
  });
  expect(findCow({ kind: 'detections', detections: [] })).toMatchObject({ found: false, score: 0 });
  const unsure = { kind: 'cow', score: 0.2, found: false, box, coat: null } as const;
  expect(findCow(unsure)).toEqual({ found: false, score: 0.2, box: null, coat: null });
  expect(() => findCow({ kind: 'embedding', vector: new Float32Array(1) })).toThrow('finds no cow');
});
