/**
 * Chooses, for each coat, the cosine from which on a cow counts as known. The readings come from
 * cows of the validation range, in galleries of the size that the figures are asked for.
 */
import type { CoatColour } from '../camera/mod.ts';
import type { CowReader } from './cow-reader.ts';
import { readAll } from './evaluate.ts';
import type { Reading, RenderFrame } from './evaluate.ts';
import { pooled } from './pooled.ts';

export type ThresholdOptions = {
  readonly reader: CowReader;
  /** So many groups of cows enrolled together; at 32 cows 4 groups give each coat about 64. */
  readonly groups: number;
  readonly cows: number;
  readonly framesPerCow: number;
  /** How many groups are read side by side. */
  readonly width: number;
  readonly render?: RenderFrame;
};

/** What the product allows; a threshold trades one against the other. */
const allowances = { unknownAccepted: 0.1, ordinaryMissed: 0.07, hardMissed: 0.15 } as const;

/** Strangers are cows of the validation range too, so that no test cow chooses a threshold. */
const strangerDraw = 1_000_000;

export async function chooseThresholds(
  options: ThresholdOptions,
  onGroup: (done: number) => void,
): Promise<Record<CoatColour, number>> {
  const { reader, cows, framesPerCow, groups, width } = options;
  const frames = options.render === undefined ? {} : { render: options.render };
  const all = await pooled([...Array(groups).keys()], width, async (group) => {
    const seeds = { testSeed: group, unknownSeed: strangerDraw + group };
    const asked = { reader, cows, framesPerCow, emptyFrames: 0, ...seeds };
    const read = await readAll({ ...asked, ...frames, range: 'validation' });
    onGroup(group + 1);
    return read;
  });
  const readings = all.flat();
  return { white: leastStrained(readings, 'white'), black: leastStrained(readings, 'black') };
}

/** Strains closer than this are alike: a handful of frames decides between them. */
const strainAlike = 0.02;

/** The middle of the thresholds at which the most strained allowance is strained least. */
export function leastStrained(readings: readonly Reading[], coat: CoatColour): number {
  const own = readings.filter(({ scene }) => scene.found && scene.coat === coat);
  const tried = Array.from({ length: 150 }, (_, i) => (40 + i) / 200);
  const strains = tried.map((threshold) => strainAt(own, threshold));
  const least = Math.min(...strains);
  const best = tried.filter((_, i) => (strains[i] ?? Infinity) <= least + strainAlike);
  const [lowest = 0.5] = best;
  return Math.round(((lowest + (best.at(-1) ?? lowest)) / 2) * 1000) / 1000;
}

function strainAt(readings: readonly Reading[], threshold: number): number {
  const share = (
    kind: Reading['kind'],
    difficulty: Reading['difficulty'] | null,
    holds: (reading: Reading) => boolean,
  ): number => {
    const of = readings.filter(
      (reading) =>
        reading.kind === kind && (difficulty === null || reading.difficulty === difficulty),
    );
    return of.length === 0 ? 0 : of.filter(holds).length / of.length;
  };
  const isAccepted = ({ nearest }: Reading): boolean => (nearest?.cosine ?? -1) >= threshold;
  const isMissed = (reading: Reading): boolean =>
    !isAccepted(reading) || reading.nearest?.name !== reading.cow;
  return Math.max(
    share('stranger', 'ordinary', isAccepted) / allowances.unknownAccepted,
    share('stranger', 'hard', isAccepted) / allowances.unknownAccepted,
    share('enrolled', 'ordinary', isMissed) / allowances.ordinaryMissed,
    share('enrolled', 'hard', isMissed) / allowances.hardMissed,
  );
}
