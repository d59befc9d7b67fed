/** The dairy figures, from JPEGs through the deployed pipeline, with the box that it predicts. */
import { join } from 'node:path';
import type { CoatColour } from '../../../pipelines/dairy/camera/mod.ts';
import { pixelVector, thresholdFor } from '../../../pipelines/dairy/train/baseline.ts';
import { type Bar, bars } from '../../../pipelines/dairy/train/mod.ts';
import { Nearby } from '../../../pipelines/dairy/train/nearest.ts';
import { decoded } from '../../../pipelines/dairy/train/pixels.ts';
import { renderFrame } from '../../../pipelines/dairy/camera/mod.ts';
import { DairyRig } from '../../bench/dairy/dairy-rig.ts';
import {
  difficulties,
  enrolment,
  enrolmentFrames,
  type EvaluationFrame,
  type EvaluationPlan,
  plannedFrames,
  rendered,
} from '../../bench/dairy/frames.ts';
import { atLeast, atMost, type Check, type CheckContext, holds, type Line } from '../check.ts';

const sizes = {
  full: { cows: 32, framesPerCow: 5, emptyFrames: 100 },
  quick: { cows: 4, framesPerCow: 1, emptyFrames: 6 },
};
/** The share of strangers that the baseline's threshold lets pass. */
const baselineFalseShare = 0.05;

/** One frame, what it showed and what the pipeline stored of it. */
interface Reading extends EvaluationFrame {
  readonly coat: CoatColour | null;
  readonly seen: { readonly cow: string | null; readonly coat: string } | null;
  readonly pixels: { readonly name: number; readonly cosine: number } | null;
}

export const dairyFigures: Check = {
  point: '6 dairy',
  name: 'dairy-figures',
  run: async (context) => {
    const size = sizes[context.quick ? 'quick' : 'full'];
    const plan = { seed: context.seed, ...size };
    return judgedLines(plan, await measureDairy(context, plan));
  },
};

/** Enrols, sends every frame of the plan and reads the sightings. */
export async function measureDairy(
  context: Pick<CheckContext, 'folder' | 'dairy' | 'say'>,
  plan: EvaluationPlan,
): Promise<readonly Reading[]> {
  const rig = await DairyRig.open(context.folder, join(context.dairy, 'pipeline.json'));
  try {
    const gallery = await pixelGallery(plan);
    const known = await rig.enrol(await enrolment(plan.seed, plan.cows));
    const frames = plannedFrames(plan);
    context.say(`${String(known)} pictures enrolled; ${String(frames.length)} frames`);
    const shown: Omit<Reading, 'seen'>[] = [];
    for (const frame of frames) {
      const { jpeg, truth } = await rendered(frame);
      await rig.send(frame.name, jpeg);
      const vector = truth.box === null ? null : await pixelVector(await decoded(jpeg), truth.box);
      const pixels = vector === null ? null : gallery.nearest(vector);
      shown.push({ ...frame, coat: truth.coat, pixels });
    }
    await rig.settle();
    return shown.map((frame) => ({ ...frame, seen: rig.sightings.get(frame.name) ?? null }));
  } finally {
    await rig.close();
  }
}

function judgedLines(plan: EvaluationPlan, readings: readonly Reading[]): readonly Line[] {
  const seed = `seed ${String(plan.seed)}`;
  const lines: Line[] = [];
  for (const difficulty of difficulties) {
    const own = readings.filter((reading) => reading.difficulty === difficulty);
    const baseline = baselineOf(own);
    for (const bar of bars.filter((one) => one.difficulty === difficulty)) {
      const measured = shareOf(bar.figure, own);
      const judge = bar.kind === 'least' ? atLeast : atMost;
      const line = judge(`dairy ${difficulty} ${bar.figure}`, bar.bar, measured);
      const beside = bar.figure === 'rightAccepted' ? `, pixel baseline ${baseline}` : '';
      lines.push({ ...line, measured: `${line.measured} (${seed}${beside})` });
    }
  }
  return lines;
}

function shareOf(figure: Bar['figure'], readings: readonly Reading[]): number {
  const cows = readings.filter(({ kind }) => kind !== 'empty');
  const enrolled = readings.filter(({ kind }) => kind === 'enrolled');
  const seen = cows.filter((reading) => reading.seen !== null);
  const known = ({ seen: one }: Reading): string | null => one?.cow ?? null;
  switch (figure) {
    case 'cowFound':
      return share(cows, (one) => one.seen !== null);
    case 'emptyRefused':
      return share(
        readings.filter(({ kind }) => kind === 'empty'),
        (one) => one.seen === null,
      );
    case 'coatRight':
      return share(seen, (one) => one.seen?.coat === one.coat);
    case 'rightAccepted':
      return share(enrolled, (one) => known(one) === one.cow);
    case 'takenForAnother':
      return share(enrolled, (one) => known(one) !== null && known(one) !== one.cow);
    case 'unknownRefused':
      return share(
        seen.filter(({ kind }) => kind === 'stranger'),
        (one) => known(one) === null,
      );
    default:
      throw new Error(`the pipeline's output does not tell ${figure}`);
  }
}

/** The right one accepted by grey pixels, at the threshold that is best for them. */
function baselineOf(readings: readonly Reading[]): string {
  const strangers = readings.filter(({ kind }) => kind === 'stranger');
  const cosines = strangers.map(({ pixels }) => pixels?.cosine ?? -1);
  const threshold = thresholdFor(cosines, baselineFalseShare);
  const enrolled = readings.filter(({ kind }) => kind === 'enrolled');
  const right = share(
    enrolled,
    ({ pixels, cow }) =>
      pixels !== null && pixels.cosine >= threshold && cow === `cow_${String(pixels.name)}`,
  );
  return right.toFixed(3);
}

async function pixelGallery({ seed, cows }: EvaluationPlan): Promise<Nearby> {
  const gallery = new Nearby();
  for (const { cow, request } of enrolmentFrames(seed, cows)) {
    const { jpeg, truth } = await renderFrame(request);
    if (truth.box !== null) gallery.add(cow, await pixelVector(await decoded(jpeg), truth.box));
  }
  return gallery;
}

function share<T>(all: readonly T[], isOne: (one: T) => boolean): number {
  return all.length === 0 ? Number.NaN : all.filter(isOne).length / all.length;
}

/** For a sabotaged pipeline: how many of the bars fail. */
export async function dairyShortfalls(context: CheckContext): Promise<Line> {
  const plan = { seed: context.seed, ...sizes.quick };
  const lines = judgedLines(plan, await measureDairy(context, plan));
  const red = lines.filter(({ pass }) => pass === false);
  const names = red.map(({ name, measured }) => `${name} ${measured}`);
  const measured = red.length === 0 ? 'all lines stayed green' : names.join('; ');
  return holds('dairy lines with zeroed weights', 'red', red.length > 0, measured);
}
