/**
 * What a frame costs without Freshet: sharp and onnxruntime in a loop, one session thread, the
 * same decode, filter, crop, identity net and nearest neighbour. One such program a core.
 */
import sharp from 'sharp';
import { CowReader, readManifest, readNets } from '../../../pipelines/dairy/train/mod.ts';
import { decoded } from '../../../pipelines/dairy/train/pixels.ts';
import { Nearby } from '../../../pipelines/dairy/train/nearest.ts';
import { answerParent } from '../child.ts';
import type { BareVisionOrder } from './orders.ts';

sharp.concurrency(1);
sharp.cache(false);

/** Answers with frames a second. */
answerParent(async (message) => {
  const { models, jpegs, enrolled, durationMs } = message as BareVisionOrder;
  const manifest = await readManifest(models);
  const reader = await CowReader.open(await readNets(models, manifest));
  const galleries = { white: new Nearby(), black: new Nearby() };
  const look = async (jpeg: Uint8Array) => {
    const picture = await decoded(Buffer.from(jpeg));
    const { found, box, coat } = await reader.look(picture);
    return { coat, vector: found ? await reader.embed(picture, box, coat) : null };
  };
  for (const [cow, jpeg] of enrolled.entries()) {
    const { coat, vector } = await look(jpeg);
    if (vector !== null) galleries[coat].add(cow, vector);
  }
  let frames = 0;
  const begin = performance.now();
  while (performance.now() - begin < durationMs) {
    const jpeg = jpegs[frames % jpegs.length];
    if (jpeg === undefined) throw new Error('no frames were given');
    const { coat, vector } = await look(jpeg);
    if (vector !== null) galleries[coat].nearest(vector);
    frames++;
  }
  const seconds = (performance.now() - begin) / 1000;
  await reader.close();
  return frames / seconds;
});
