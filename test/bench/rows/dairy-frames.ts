import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { BareVisionOrder } from '../bare-vision/orders.ts';
import { Companion } from '../child.ts';
import { DairyRig } from '../dairy/dairy-rig.ts';
import { enrolment, plannedFrames, rendered } from '../dairy/frames.ts';
import type { Row } from '../row.ts';

const seed = 907;
const sizes = {
  full: { cows: 12, framesPerCow: 2, durationMs: 8000, bareMs: 4000 },
  quick: { cows: 2, framesPerCow: 1, durationMs: 1500, bareMs: 500 },
};
const answerTimeoutMs = 120_000;
const pauseMs = 1;

/** Frames through camera door, filter, identity and store, beside the bare nets. */
export const dairyFrames: Row = {
  name: 'dairy-frames',
  method:
    'JPEGs of the camera simulator with a cow in each, triggered by one gRPC client as fast as ' +
    'they are taken, until the sighting is stored persistently; beside it sharp and onnxruntime in ' +
    'a loop over the same frames with the same nets, one program on each core at the same time.',
  open: async (context) => {
    const { cows, framesPerCow, durationMs, bareMs } = sizes[context.quick ? 'quick' : 'full'];
    const models = join(context.root, 'pipelines', 'dairy', 'models');
    if (!existsSync(join(models, 'models.json'))) {
      throw new Error('pipelines/dairy/models/models.json is missing: npm run train makes it');
    }
    const plan = { seed, cows, framesPerCow, emptyFrames: 0 };
    const jpegs: Buffer[] = [];
    for (const frame of plannedFrames(plan)) jpegs.push((await rendered(frame)).jpeg);
    const enrolled = await enrolment(seed, cows);
    const pipeline = join(context.root, 'pipelines', 'dairy', 'pipeline.json');
    const rig = await DairyRig.open(context.folder, pipeline);
    await rig.enrol(enrolled);
    // Every member has its workers and models loaded before anything is timed.
    for (const [nth, jpeg] of jpegs.entries()) await rig.send(`warm/${String(nth)}`, jpeg);
    await rig.settle();
    let round = 0;
    const order: BareVisionOrder = {
      models,
      jpegs,
      enrolled: enrolled.map(({ jpeg }) => jpeg),
      durationMs: bareMs,
    };
    return {
      close: () => rig.close(),
      run: async () => {
        const value = await pipelineRate(rig, jpegs, `run${String(round++)}`, durationMs);
        const raw = { name: 'sharp + onnxruntime loop', value: await bareRate(order) };
        return [{ name: 'dairy-frames', unit: 'frames/s', value, raw }];
      },
    };
  },
};

/** Sightings a second, from the first frame sent to the last sighting stored. */
async function pipelineRate(
  rig: DairyRig,
  jpegs: readonly Buffer[],
  name: string,
  durationMs: number,
): Promise<number> {
  const begin = performance.now();
  const before = rig.sightings.size;
  for (let nth = 0; performance.now() - begin < durationMs; nth++) {
    while (rig.isFull && performance.now() - begin < durationMs) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    const jpeg = jpegs[nth % jpegs.length];
    if (jpeg !== undefined) await rig.send(`${name}/${String(nth)}`, jpeg);
  }
  await rig.settle();
  return (rig.sightings.size - before) / ((rig.lastSightingMs - begin) / 1000);
}

/** One loop a core, side by side: the sum of their rates. */
async function bareRate(order: BareVisionOrder): Promise<number> {
  const loops = Array.from(
    { length: availableParallelism() },
    () => new Companion('../bare-vision/main', import.meta.url),
  );
  try {
    const rates = await Promise.all(loops.map((loop) => loop.ask(order, answerTimeoutMs)));
    return rates.reduce<number>((sum, rate) => sum + Number(rate), 0);
  } finally {
    await Promise.all(loops.map((loop) => loop.close()));
  }
}
