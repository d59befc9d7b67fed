import { readFileSync, rmSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import assess from '../../../../pipelines/dairy/lambdas/assess.ts';
import enrol from '../../../../pipelines/dairy/lambdas/enrol.ts';
import filter from '../../../../pipelines/dairy/lambdas/filter.ts';
import identify from '../../../../pipelines/dairy/lambdas/identify.ts';
import type { CowCrop } from '../../../../pipelines/dairy/lambdas/values.ts';
import { parsePipeline } from '../../../../platform/lambda/pipeline.ts';
import { testLambda } from '../../../../udl/mod.ts';
import { type MemoryRecord, memoryDatabase, modelFolder, plainJpeg } from './support.ts';

const { folder, assets } = modelFolder();
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const dairy = (path: string): URL =>
  new URL(`../../../../pipelines/dairy/${path}`, import.meta.url);

async function cropOf(jpeg: Uint8Array): Promise<CowCrop> {
  const { emitted } = await testLambda(filter, [{ key: '/dairy/front_end/f', value: jpeg }], {
    assets,
  });
  return emitted.find(({ output }) => output === 'compute')?.value as CowCrop;
}

test('the filter passes frames with a cow, cut out, and names her coat', async () => {
  const red = await plainJpeg(220, 40, 20);
  const events = [
    { key: '/dairy/front_end/cam1/1', name: 'cam1/1', value: red },
    { key: '/dairy/front_end/cam1/2', name: 'cam1/2', value: await plainJpeg(10, 90, 10) },
    { key: '/dairy/front_end/cam1/3', name: 'cam1/3', value: await plainJpeg(20, 40, 220) },
  ];
  const { emitted, failed } = await testLambda(filter, events, { assets });
  expect(failed).toEqual([]);
  const crops = emitted.filter(({ output }) => output === 'compute');
  expect(crops.map(({ name, value }) => [name, (value as CowCrop).coat])).toEqual([
    ['cam1/1', 'white'],
    ['cam1/3', 'black'],
  ]);
  const { box, frame, crop } = crops[0]?.value as CowCrop;
  // The model always says the middle half of the frame.
  expect(box).toEqual({ x: 16, y: 12, width: 32, height: 24 });
  expect(frame).toEqual({ width: 64, height: 48 });
  expect([crop.width, crop.height, crop.pixels.length]).toEqual([32, 24, 32 * 24 * 3]);
  expect(crop.pixels[0]).toBeGreaterThan(210);
  const frames = emitted.filter(({ output }) => output === 'frame');
  expect(frames.map(({ name }) => name)).toEqual(['cam1/1', 'cam1/3']);
});

test('a broken frame goes to the dead letters and the others on', async () => {
  const whole = await plainJpeg(220, 40, 20);
  const events = [whole.subarray(0, 300), Buffer.from('no picture'), whole].map((value, i) => ({
    key: `/dairy/front_end/${i}`,
    value,
  }));
  const { emitted, failed } = await testLambda(filter, events, { assets });
  expect(failed.map(({ key, error }) => [key, error.code])).toEqual([
    ['/dairy/front_end/0', 'IMAGE_INVALID'],
    ['/dairy/front_end/1', 'IMAGE_INVALID'],
  ]);
  expect(emitted.map(({ key }) => key)).toEqual(['/dairy/front_end/2', '/dairy/front_end/2']);
});

test('a missing or wrong list of models stops the node, naming the file', async () => {
  const wrong = { ...assets, 'models.json': assets['filter.onnx'] ?? '' };
  await expect(testLambda(filter, [], { assets: wrong })).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    message: expect.stringContaining('filter.onnx is no list of models') as string,
  });
  const swapped = { ...assets, 'filter.onnx': assets['models.json'] ?? '' };
  await expect(testLambda(filter, [], { assets: swapped })).rejects.toMatchObject({
    code: 'MODEL_INVALID',
  });
});

/** Enrols cow_1 (red, a little green), cow_2 (red, much green) and cow_3 (blue). */
async function enrolledHerd(): Promise<MemoryRecord[]> {
  const pictures = [
    await plainJpeg(220, 40, 20),
    await plainJpeg(220, 160, 20),
    await plainJpeg(20, 40, 220),
  ];
  const events = pictures.map((value, i) => ({
    key: `/dairy/enrol/cow_${i + 1}/0`,
    name: `cow_${i + 1}/0`,
    value,
  }));
  const { emitted, failed } = await testLambda(enrol, events, { assets });
  expect(failed).toEqual([]);
  return emitted.map(({ name, value }) => ({ key: `/dairy/enrolled/${name}`, value }));
}

async function seen(jpeg: Uint8Array, herd: MemoryRecord[]): Promise<unknown> {
  const event = { key: '/dairy/compute/cam1/9', name: 'cam1/9', value: await cropOf(jpeg) };
  const db = memoryDatabase(herd);
  const { emitted, failed } = await testLambda(identify, [event], { assets, db });
  expect(failed).toEqual([]);
  return emitted.map(({ name, value }) => [name, value])[0];
}

test('enrolled cows are named, others are unknown, and a removed one is forgotten', async () => {
  const herd = await enrolledHerd();
  expect(herd.map(({ key }) => key)).toEqual([1, 2, 3].map((n) => `/dairy/enrolled/cow_${n}/0`));
  const second = await plainJpeg(215, 160, 25);
  expect(await seen(second, herd)).toMatchObject([
    'cow_2/cam1/9',
    { cow: 'cow_2', coat: 'white', nearest: 'cow_2' },
  ]);
  expect(await seen(await plainJpeg(25, 40, 210), herd)).toMatchObject(['cow_3/cam1/9', {}]);
  expect(await seen(await plainJpeg(220, 95, 20), herd)).toMatchObject([
    'unknown/cam1/9',
    { cow: null, coat: 'white' },
  ]);
  const without = herd.filter(({ key }) => !key.includes('cow_2'));
  expect(await seen(second, without)).toMatchObject(['unknown/cam1/9', { nearest: 'cow_1' }]);
  expect(await seen(second, [])).toMatchObject([
    'unknown/cam1/9',
    { nearest: null, similarity: -1 },
  ]);
});

test('embeddings of another model are not compared', async () => {
  const herd = (await enrolledHerd()).map((record) => ({
    ...record,
    value: { ...(record.value as object), model: 'an older one' },
  }));
  expect(await seen(await plainJpeg(220, 40, 20), herd)).toMatchObject(['unknown/cam1/9', {}]);
});

test('a cow is enrolled by a picture that shows one, under her name', async () => {
  const events = [
    { key: '/dairy/enrol/cow_1/0', name: 'cow_1/0', value: await plainJpeg(10, 90, 10) },
    { key: '/dairy/enrol/cow_1', name: 'cow_1', value: await plainJpeg(220, 40, 20) },
  ];
  const { emitted, failed } = await testLambda(enrol, events, { assets });
  expect(emitted).toEqual([]);
  expect(failed.map(({ error }) => error.code)).toEqual(['INVALID_VALUE', 'INVALID_KEY']);
});

const day = (date: string, hour = '18:00'): number => Date.parse(`${date}T${hour}Z`) * 1000;
const sighting = (cow: string | null) => ({
  cow,
  coat: 'white',
  similarity: 1,
  nearest: cow,
  score: 1,
  box: { x: 0, y: 0, width: 1, height: 1 },
  frame: { width: 64, height: 48 },
});

async function assessed(cow: string | null, records: MemoryRecord[], withinDays = 7) {
  const event = {
    key: `/dairy/storage/${cow}/f`,
    value: sighting(cow),
    time: 1_000_000,
    eventTime: day('2024-10-04', '09:00'),
  };
  const file = dairy('risk/coefficients.json').pathname;
  return testLambda(assess, [event], {
    assets: { 'coefficients.json': file },
    db: memoryDatabase(records),
    config: { withinDays } as never,
  });
}

/** Inseminated 281 days before; milk of the days given. */
function recordsOf(cow: string, milkDays: string[]): MemoryRecord[] {
  const served = { date: '2023-12-28', parity: 2, lastCalving: '2023-10-01' };
  return [
    { key: `/dairy/insemination/${cow}`, value: served },
    ...milkDays.flatMap((date) => [
      { key: `/dairy/daily_yield/${cow}`, value: { yield: 21 }, eventTime: day(date) },
      { key: `/dairy/daily_fat/${cow}`, value: { fat: 4 }, eventTime: day(date) },
      { key: `/dairy/daily_protein/${cow}`, value: { protein: 3.4 }, eventTime: day(date) },
    ]),
  ];
}

test('a dry cow near her term is likelier to calve than one that gives milk', async () => {
  const dry = await assessed('cow_1', recordsOf('cow_1', ['2024-07-20', '2024-07-21']));
  const milked = await assessed('cow_1', recordsOf('cow_1', ['2024-10-02', '2024-10-03']));
  const [first] = dry.emitted;
  const [second] = milked.emitted;
  expect(first).toMatchObject({
    name: 'cow_1',
    value: { basis: 'model', daysSinceInsemination: 281, daysSinceRecord: 75, withinDays: 7 },
  });
  expect(second).toMatchObject({ value: { daysSinceRecord: 1 } });
  const chance = (of: typeof first) => (of?.value as { probability: number }).probability;
  expect(chance(first)).toBeGreaterThan(0.4);
  expect(chance(second)).toBeLessThan(chance(first) / 2);
});

test('a record written after the frame, or of another cow, does not count', async () => {
  const records = [
    ...recordsOf('cow_1', ['2024-07-21', '2024-10-04']),
    ...recordsOf('cow_12', ['2024-10-03']),
  ];
  const { emitted } = await assessed('cow_1', records);
  expect(emitted).toMatchObject([{ value: { daysSinceRecord: 75 } }]);
});

test('nothing is said of unknown cows and of those never inseminated', async () => {
  expect(await assessed(null, [])).toEqual({ emitted: [], failed: [] });
  expect(await assessed('cow_9', recordsOf('cow_1', []))).toEqual({ emitted: [], failed: [] });
  const { failed } = await assessed('cow_1', recordsOf('cow_1', []), 3);
  expect(failed.map(({ error }) => error.code)).toEqual(['INVALID_CONFIG']);
});

test('the pipeline is well formed and its modules and assets of record exist', () => {
  const document = parsePipeline(
    JSON.parse(readFileSync(dairy('pipeline.json'), 'utf8')),
    'pipeline.json',
  );
  const modules = document.nodes.flatMap(({ lambdas }) => lambdas.map(({ module }) => module));
  for (const module of modules) expect(readFileSync(dairy(module)).length).toBeGreaterThan(0);
  const pools = new Set(document.pools?.map(({ name }) => name));
  for (const { prefix, lambdas } of document.nodes) {
    expect(pools.has(prefix)).toBe(true);
    const targets = lambdas.flatMap(({ edges }) => Object.values(edges ?? {}).flat());
    expect(targets.map(({ to }) => to).filter((to) => !pools.has(to))).toEqual([]);
  }
});
