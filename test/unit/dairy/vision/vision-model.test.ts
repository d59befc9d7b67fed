import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ModelConfig, RawImage } from '../../../../pipelines/dairy/vision/mod.ts';
import { parseModelConfig, VisionModel } from '../../../../pipelines/dairy/vision/mod.ts';
import { echo, echoConfig, gradient, writeModel } from './support.ts';
import type { TinyModel } from './support.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freshet-vision-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function numbersOf(
  image: RawImage,
  config: ModelConfig,
  model: TinyModel = echo,
): Promise<number[]> {
  writeModel(folder, model);
  const vision = await VisionModel.open(config, folder);
  try {
    const result = await vision.run(image);
    if (result.kind !== 'embedding') throw new Error(result.kind);
    return [...result.vector];
  } finally {
    await vision.close();
  }
}

test('planes or pixels, red or blue first, scaled and normalised', async () => {
  const image = gradient(4, 4);
  const planes = await numbersOf(image, echoConfig());
  expect(planes.slice(0, 5)).toEqual([0, 1, 2, 3, 0]);
  expect(planes.slice(16, 21)).toEqual([0, 0, 0, 0, 1]);
  expect(planes[32]).toBe(200);
  const interleaved = { ...echo, dims: [1, 4, 4, 3] };
  const pixels = await numbersOf(
    image,
    echoConfig({ layout: 'NHWC', channels: 'BGR' }),
    interleaved,
  );
  expect(pixels.slice(0, 6)).toEqual([200, 0, 0, 200, 0, 1]);
  const norm = { channels: 'BGR', scale: 0.5, mean: [10, 0, 1], std: [3, 1, 4] };
  const normalised = await numbersOf(image, echoConfig(norm));
  expect(normalised[0]).toBeCloseTo((200 * 0.5 - 10) / 3);
  expect(normalised[32 + 3]).toBeCloseTo((3 * 0.5 - 1) / 4);
});

test('a half-float model gets half floats and gives numbers', async () => {
  const config = echoConfig({ dtype: 'float16', scale: 1 / 255 });
  const [, second] = await numbersOf(gradient(4, 4), config, { ...echo, dtype: 'float16' });
  expect(second).toBeCloseTo(1 / 255, 5);
  expect(second).not.toBe(Math.fround(1 / 255));
});

test('a letterbox is padded with the pad value, also after normalising', async () => {
  const config = echoConfig({ resize: 'letterbox-top-left', pad: 114, mean: [4, 0, 0] });
  const planes = await numbersOf(gradient(4, 2), config);
  expect(planes.slice(0, 4)).toEqual([-4, -3, -2, -1]);
  expect(planes.slice(8, 16)).toEqual(Array(8).fill(110));
  const centred = await numbersOf(gradient(4, 2), echoConfig({ resize: 'letterbox-center' }));
  expect(centred.slice(16, 32)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]);
});

test('the three turns of a picture, and tall pictures laid down', async () => {
  writeModel(folder, { ...echo, dims: [1, 3, 2, 4] });
  const wide = { width: 4, height: 2 };
  const turns = [0, 90, 180, 270];
  const open = (decoder: object): Promise<VisionModel> =>
    VisionModel.open(echoConfig(wide, decoder), folder);
  const model = await open({ orient: 'landscape', enrolTurns: turns });
  const views = await model.enrolmentViews(gradient(2, 4));
  // The red plane holds columns 0..1 and the green one rows 0..3 of the tall picture.
  const [laid = new Float32Array(), stood, laidBack] = views;
  expect([...laid.slice(0, 16)]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 3, 2, 1, 0, 3, 2, 1, 0]);
  expect([...(laidBack ?? []).slice(0, 8)]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
  expect(stood).not.toEqual(laid);
  const result = await model.run(gradient(2, 4));
  expect(result).toEqual({ kind: 'embedding', vector: laid });
  const still = await open({ enrolTurns: turns });
  const [asIs = new Float32Array(), right, , left] = await still.enrolmentViews(gradient(4, 2));
  expect([...asIs.slice(0, 8)]).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
  expect(right).not.toEqual(left);
  await model.close();
  await still.close();
});

test('a region is cut out before scaling', async () => {
  writeModel(folder, echo);
  const model = await VisionModel.open(echoConfig(), folder);
  const result = await model.run(gradient(20, 20), { x: 5, y: 9, width: 4, height: 4 });
  if (result.kind !== 'embedding') throw new Error(result.kind);
  expect([...result.vector.slice(0, 4)]).toEqual([5, 6, 7, 8]);
  expect(result.vector[16]).toBe(9);
  const outside = { x: 30, y: 0, width: 4, height: 4 };
  await expect(model.run(gradient(20, 20), outside)).rejects.toMatchObject({
    code: 'IMAGE_INVALID',
  });
  await model.close();
  await model.close();
  await expect(model.run(gradient(4, 4))).rejects.toMatchObject({ code: 'CLOSED' });
});

test('an exposed layer becomes the output, pooled on a grid', async () => {
  const chain: TinyModel = {
    nodes: [
      ['Neg', 'inner'],
      ['GlobalAveragePool', 'mean'],
    ],
  };
  const exposed = { expose: 'inner' };
  const inner = await numbersOf(gradient(4, 4), echoConfig({}, {}, exposed), chain);
  expect(inner.slice(0, 4).map((v) => v + 0)).toEqual([0, -1, -2, -3]);
  const grid = { pool: { rows: 2, columns: 2 } };
  const pooled = await numbersOf(gradient(4, 4), echoConfig({}, grid, exposed), chain);
  expect(pooled).toEqual([
    -0.5,
    -2.5,
    -0.5,
    -2.5,
    -0.5,
    -0.5,
    -2.5,
    -2.5,
    ...Array<number>(4).fill(-200),
  ]);
  const unit = await numbersOf(gradient(4, 4), echoConfig({}, { normalize: true }), chain);
  expect(Math.hypot(...unit)).toBeCloseTo(1);
  await expect(
    numbersOf(gradient(4, 4), echoConfig({}, {}, { expose: 'iner' }), chain),
  ).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringContaining('near: inner') as string,
  });
});

test('a file that is missing or is no ONNX is named', async () => {
  const absent = echoConfig({}, {}, { file: 'absent.onnx' });
  await expect(VisionModel.open(absent, folder)).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringContaining('absent.onnx') as string,
  });
  for (const content of ['no model at all', '']) {
    writeFileSync(join(folder, 'tiny.onnx'), content);
    for (const expose of [null, 'layer']) {
      const opening = VisionModel.open(echoConfig({}, {}, { expose }), folder);
      await expect(opening).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringMatching(/tiny\.onnx.*is no ONNX model/) as string,
      });
    }
  }
});

test('another input than described is refused, naming both', async () => {
  const refused = async (input: object, model: TinyModel = echo): Promise<string> => {
    const thrown: unknown = await numbersOf(gradient(4, 4), echoConfig(input), model).catch(
      (error: unknown) => error,
    );
    expect(thrown).toMatchObject({ code: 'MODEL_INVALID' });
    return (thrown as Error).message;
  };
  expect(await refused({ width: 8 })).toContain(
    'takes picture float32 [1, 3, 4, 4]; its description says picture float32 [1, 3, 4, 8]',
  );
  expect(await refused({ name: 'images' })).toContain('says images float32');
  expect(await refused({ dtype: 'float16' })).toContain('says picture float16');
  expect(await refused({ layout: 'NHWC' })).toContain('[1, 4, 4, 3]');
  const open = await numbersOf(gradient(4, 4), echoConfig(), {
    ...echo,
    dims: ['batch', 3, 'h', 'w'],
  });
  expect(open).toHaveLength(48);
});

test('a decoder that does not fit the outputs is found at load', async () => {
  writeModel(folder, echo);
  const input = { name: 'picture', width: 4, height: 4 };
  for (const decoder of [
    { type: 'yolox' },
    { type: 'nanodet' },
    { type: 'cow-box', boxOutput: 'box' },
    { type: 'embedding', pool: { rows: 5, columns: 5 } },
    { type: 'embedding', output: 'other' },
  ]) {
    const config = parseModelConfig({ name: 'm', file: 'tiny.onnx', input, decoder });
    await expect(VisionModel.open(config, folder)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('same [1, 3, 4, 4]') as string,
    });
  }
  const misnamed = { type: 'yolox', classNames: ['sheep', 'cow'], classes: ['cw'] };
  const config = parseModelConfig({ name: 'm', file: 'tiny.onnx', input, decoder: misnamed });
  await expect(VisionModel.open(config, folder)).rejects.toThrow('did you mean cow');
});
