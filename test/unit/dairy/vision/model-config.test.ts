import { expect, test } from 'vitest';
import { parseModelConfig } from '../../../../pipelines/dairy/vision/model-config.ts';

const good = {
  name: 'm',
  file: 'm.onnx',
  input: { name: 'images', width: 416, height: 416 },
  decoder: { type: 'yolox' },
};
const complaint = (value: unknown): string => {
  try {
    parseModelConfig(value);
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'INVALID_CONFIG' });
    return (thrown as Error).message;
  }
  throw new Error('the description was taken');
};

test('what is left out gets its default', () => {
  const parsed = parseModelConfig(good);
  expect(parsed.input).toMatchObject({
    resize: 'stretch',
    channels: 'RGB',
    std: [1, 1, 1],
    scale: 1,
  });
  expect(parsed.decoder).toMatchObject({ strides: [8, 16, 32], scoreThreshold: 0.35 });
  expect(parsed.expose).toBeNull();
});

test('a slip is named with the field that was meant', () => {
  expect(complaint({ ...good, input: { ...good.input, widht: 3 } })).toContain(
    'input has no field widht, did you mean width',
  );
  expect(complaint({ ...good, decoder: { type: 'yolox', stride: [8] } })).toContain('mean strides');
});

test('a wrong value is shown beside what is allowed', () => {
  expect(complaint({ ...good, decoder: { type: 'yolo' } })).toMatch(
    /decoder\/type is "yolo", expected one of yolox, nanodet, embedding, cow-box/,
  );
  expect(complaint({ ...good, input: { ...good.input, resize: 'squash' } })).toMatch(
    /input\/resize is "squash", expected one of letterbox-top-left/,
  );
  expect(complaint({ ...good, input: { ...good.input, std: [1, 0, 1] } })).toContain('input/std/1');
  expect(complaint({ ...good, input: { name: 'x', width: 4 } })).toContain('input lacks height');
});

test('what is no object at all is refused with the same code', () => {
  for (const value of [null, 7, 'yolox', []]) complaint(value);
});
