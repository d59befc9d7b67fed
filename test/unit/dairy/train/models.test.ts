/** The committed models, on cows that neither training nor the choice of thresholds drew. */
import { fileURLToPath } from 'node:url';
import { onnx } from 'onnx-proto';
import { expect, test } from 'vitest';
import {
  CowReader,
  evaluate,
  modelBytesMax,
  netNames,
  readManifest,
  readNets,
  shortfalls,
} from '../../../../pipelines/dairy/train/mod.ts';
import type { Figures, NetBytes } from '../../../../pipelines/dairy/train/mod.ts';

const folder = fileURLToPath(new URL('../../../../pipelines/dairy/models', import.meta.url));
const manifest = await readManifest(folder);
const nets = await readNets(folder, manifest);
const thresholds = {
  white: manifest.identity.white.threshold,
  black: manifest.identity.black.threshold,
};

test('every model is small enough to live in a repository and is the one of the card', () => {
  for (const net of netNames) expect(nets[net].length).toBeLessThan(modelBytesMax);
  const entries = [manifest.filter, manifest.identity.white, manifest.identity.black];
  expect(entries.map(({ bytes }) => bytes)).toEqual(netNames.map((net) => nets[net].length));
});

test('the recorded figures reach every bar for every seed', () => {
  expect(manifest.figures.length).toBeGreaterThanOrEqual(3);
  for (const figures of manifest.figures) expect(shortfalls(figures)).toEqual([]);
});

test('a small evaluation with fresh seeds finds, refuses and names cows', async () => {
  const figures = await smallEvaluation(nets);
  for (const { cowFound, emptyRefused, coatRight, topOne } of [figures.ordinary, figures.hard]) {
    expect(cowFound).toBeGreaterThanOrEqual(0.9);
    expect(emptyRefused).toBeGreaterThanOrEqual(0.9);
    expect(coatRight).toBeGreaterThanOrEqual(0.85);
    expect(topOne).toBeGreaterThanOrEqual(0.85);
  }
  // Few frames make coarse shares: the full bars are for the recorded figures.
  expect(figures.ordinary.rightAccepted).toBeGreaterThanOrEqual(0.85);
  expect(figures.ordinary.unknownRefused).toBeGreaterThanOrEqual(0.75);
}, 120_000);

test('a net whose weights are zero falls below the bars', async () => {
  const blind = await smallEvaluation({ ...nets, filter: zeroed(nets.filter) });
  // A blind filter says the same of every frame: it misses all cows, or lets all empty ones pass.
  expect(shortfalls(blind).join()).toMatch(/cowFound|emptyRefused/);
  expect(shortfalls(blind).join()).toMatch(/ordinary rightAccepted.*hard rightAccepted/);
  const nameless = await smallEvaluation({
    ...nets,
    white: zeroed(nets.white),
    black: zeroed(nets.black),
  });
  expect(nameless.ordinary.cowFound).toBeGreaterThanOrEqual(0.9);
  expect(shortfalls(nameless).join()).toMatch(/ordinary rightAccepted.*hard rightAccepted/);
}, 240_000);

async function smallEvaluation(bytes: NetBytes): Promise<Figures> {
  const reader = await CowReader.open(bytes);
  try {
    const seeds = { testSeed: 9001, unknownSeed: 9002 };
    return await evaluate({
      reader,
      thresholds,
      ...seeds,
      cows: 6,
      framesPerCow: 2,
      emptyFrames: 12,
    });
  } finally {
    await reader.close();
  }
}

/** The same graph with every trained number set to zero. */
function zeroed(bytes: Uint8Array): Uint8Array {
  const model = onnx.ModelProto.decode(bytes);
  for (const tensor of model.graph?.initializer ?? []) {
    if (tensor.dataType !== onnx.TensorProto.DataType.FLOAT) continue;
    tensor.rawData = new Uint8Array(tensor.rawData?.length ?? 0);
    tensor.floatData = (tensor.floatData ?? []).map(() => 0);
  }
  return onnx.ModelProto.encode(model).finish();
}
