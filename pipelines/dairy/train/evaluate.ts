/**
 * Measures the nets on cows that training never drew: renders frames, reads them from their JPEG
 * bytes with the predicted box, enrols some cows, asks for those and for strangers.
 */
import { cowSeedFor, enrolmentPictures, frameSeedFor, renderFrame } from '../camera/mod.ts';
import type {
  CoatColour,
  Difficulty,
  FrameRequest,
  FrameTruth,
  RenderedFrame,
  SeedRange,
} from '../camera/mod.ts';
import { pixelVector, thresholdFor } from './baseline.ts';
import type { CowReader, Scene } from './cow-reader.ts';
import { Nearby } from './nearest.ts';
import type { Nearest } from './nearest.ts';
import { decoded } from './pixels.ts';

export const difficulties = ['ordinary', 'hard'] as const satisfies readonly Difficulty[];

export type EvaluateOptions = {
  readonly reader: CowReader;
  readonly thresholds: Readonly<Record<CoatColour, number>>;
  /** Which cows are enrolled, and which are not: draws of the ranges named below. */
  readonly testSeed: number;
  readonly unknownSeed: number;
  /** How many cows are enrolled, and as many are not; 32 where not given. */
  readonly cows?: number;
  /** Asked of each cow and difficulty, beside the 3 ordinary ones that enrol it; 10. */
  readonly framesPerCow?: number;
  /** Frames without a cow, for each difficulty; 300. */
  readonly emptyFrames?: number;
  /**
   * Where the enrolled cows come from: `test`, with strangers of the range `unknown`; or, to
   * choose thresholds, `validation`, with strangers of that range too.
   */
  readonly range?: 'test' | 'validation';
  /** Where frames come from: rendered where not given; a cache serves repeated measurements. */
  readonly render?: RenderFrame;
};

export type RenderFrame = (request: FrameRequest) => Promise<RenderedFrame>;

export type Figures = {
  readonly testSeed: number;
  readonly unknownSeed: number;
  readonly cows: number;
  readonly ordinary: DifficultyFigures;
  readonly hard: DifficultyFigures;
};

/** All are shares of 1. */
export type DifficultyFigures = {
  /** Cow frames in which the filter saw the cow. */
  readonly cowFound: number;
  /** Frames without a whole cow in which it saw none. */
  readonly emptyRefused: number;
  readonly meanIou: number;
  /** Coat told rightly, of the cow frames that were found. */
  readonly coatRight: number;
  /** Nearest enrolled cow is the right one, of all frames of enrolled cows. */
  readonly topOne: number;
  /** The right one and above the threshold, of all frames of enrolled cows. */
  readonly rightAccepted: number;
  /** A known cow accepted as another one, of all frames of enrolled cows. */
  readonly takenForAnother: number;
  /** Unknown, of the frames of strangers that the filter let through. */
  readonly unknownRefused: number;
  readonly baseline: { readonly topOne: number; readonly rightAccepted: number };
};

/** One frame that was rendered, read and compared with the enrolled cows. */
export type Reading = {
  readonly difficulty: Difficulty;
  readonly kind: 'enrolled' | 'stranger' | 'empty';
  readonly cow: number;
  readonly truth: FrameTruth;
  readonly scene: Scene;
  readonly iou: number;
  /** Null for an empty frame, and where the filter saw no cow. */
  readonly nearest: Nearest | null;
  readonly pixelNearest: Nearest | null;
};

/** More would reach into the frame seeds of the next difficulty. */
const framesPerCowMax = 100;

/** The share of the strangers that the baseline's threshold lets pass. */
const baselineFalseShare = 0.05;

export async function evaluate(options: EvaluateOptions): Promise<Figures> {
  const readings = await readAll(options);
  const { testSeed, unknownSeed, thresholds } = options;
  const of = (difficulty: Difficulty): DifficultyFigures =>
    figuresOf(
      readings.filter((reading) => reading.difficulty === difficulty),
      thresholds,
    );
  const cows = options.cows ?? 32;
  return { testSeed, unknownSeed, cows, ordinary: of('ordinary'), hard: of('hard') };
}

/** Every reading that the figures rest on; also what thresholds are chosen from. */
export async function readAll(options: Omit<EvaluateOptions, 'thresholds'>): Promise<Reading[]> {
  const { reader, testSeed, unknownSeed } = options;
  const cows = options.cows ?? 32;
  const perCow = options.framesPerCow ?? 10;
  if (perCow > framesPerCowMax) throw new RangeError(`at most ${framesPerCowMax} frames a cow`);
  const known = options.range ?? 'test';
  const foreign = known === 'test' ? 'unknown' : known;
  const session = new Session(reader, options.render ?? renderFrame);
  for (let cow = 0; cow < cows; cow++) {
    for (let i = 0; i < enrolmentPictures; i++) {
      const cowSeed = cowSeedFor(known, cow, testSeed);
      await session.enrol(cow, cowSeed, frameSeedFor(known, cow * 1000 + i, testSeed));
    }
  }
  const readings: Reading[] = [];
  for (const [at, difficulty] of difficulties.entries()) {
    const frames = (range: SeedRange, cow: number, i: number, draw: number): number =>
      frameSeedFor(range, cow * 1000 + 100 * (at + 1) + i, draw);
    for (let cow = 0; cow < cows; cow++) {
      for (let i = 0; i < perCow; i++) {
        const asked = cowSeedFor(known, cow, testSeed);
        const strange = cowSeedFor(foreign, cow, unknownSeed);
        const ask = { kind: 'enrolled', cow, cowSeed: asked, difficulty } as const;
        const frameSeed = frames(known, cow, i, testSeed);
        readings.push(await session.read({ ...ask, frameSeed }));
        const other = { kind: 'stranger', cow, cowSeed: strange, difficulty } as const;
        const strangeFrame = frames(foreign, cow, i, unknownSeed);
        readings.push(await session.read({ ...other, frameSeed: strangeFrame }));
      }
    }
    for (let i = 0; i < (options.emptyFrames ?? 300); i++) {
      const frameSeed = frameSeedFor(known, 10_000_000 + at * 1_000_000 + i, testSeed);
      readings.push(
        await session.read({ kind: 'empty', cow: -1, cowSeed: null, difficulty, frameSeed }),
      );
    }
  }
  return readings;
}

type Ask = Pick<Reading, 'kind' | 'cow' | 'difficulty'> & {
  readonly cowSeed: number | null;
  readonly frameSeed: number;
};

/** The enrolled cows of one evaluation: a gallery for each coat, and the baseline's own. */
class Session {
  readonly #reader: CowReader;
  readonly #render: RenderFrame;
  readonly #galleries = { white: new Nearby(), black: new Nearby() };
  readonly #pixels = new Nearby();

  constructor(reader: CowReader, render: RenderFrame) {
    this.#reader = reader;
    this.#render = render;
  }

  async enrol(cow: number, cowSeed: number, frameSeed: number): Promise<void> {
    const { jpeg, truth } = await this.#render({ cowSeed, frameSeed, difficulty: 'ordinary' });
    const picture = await decoded(jpeg);
    const { found, box, coat } = await this.#reader.look(picture);
    if (found) this.#galleries[coat].add(cow, await this.#reader.embed(picture, box, coat));
    if (truth.box !== null) this.#pixels.add(cow, await pixelVector(picture, truth.box));
  }

  async read(ask: Ask): Promise<Reading> {
    const { kind, cow, cowSeed, frameSeed, difficulty } = ask;
    const { jpeg, truth } = await this.#render({ cowSeed, frameSeed, difficulty });
    const picture = await decoded(jpeg);
    const scene = await this.#reader.look(picture);
    const { found, box, coat } = scene;
    const asked = kind !== 'empty' && found;
    const nearest = asked
      ? this.#galleries[coat].nearest(await this.#reader.embed(picture, box, coat))
      : null;
    const pixelNearest =
      truth.box === null ? null : this.#pixels.nearest(await pixelVector(picture, truth.box));
    const iou = truth.box === null ? 0 : overlap(box, truth.box);
    return { difficulty, kind, cow, truth, scene, iou, nearest, pixelNearest };
  }
}

function figuresOf(
  readings: readonly Reading[],
  thresholds: Readonly<Record<CoatColour, number>>,
): DifficultyFigures {
  const empties = readings.filter(({ kind }) => kind === 'empty');
  const cows = readings.filter(({ kind }) => kind !== 'empty');
  const seen = cows.filter(({ scene }) => scene.found);
  const enrolled = cows.filter(({ kind }) => kind === 'enrolled');
  const strangers = seen.filter(({ kind }) => kind === 'stranger');
  const isAccepted = ({ nearest, scene }: Reading): boolean =>
    nearest !== null && nearest.cosine >= thresholds[scene.coat];
  const isRight = ({ nearest, cow }: Reading): boolean => nearest?.name === cow;
  return {
    cowFound: share(cows, ({ scene }) => scene.found),
    emptyRefused: share(empties, ({ scene }) => !scene.found),
    meanIou: rounded(seen.reduce((sum, { iou }) => sum + iou, 0) / Math.max(1, seen.length)),
    coatRight: share(seen, ({ scene, truth }) => scene.coat === truth.coat),
    topOne: share(enrolled, isRight),
    rightAccepted: share(enrolled, (reading) => isRight(reading) && isAccepted(reading)),
    takenForAnother: share(enrolled, (reading) => !isRight(reading) && isAccepted(reading)),
    unknownRefused: share(strangers, (reading) => !isAccepted(reading)),
    baseline: baselineOf(cows, enrolled),
  };
}

function baselineOf(
  cows: readonly Reading[],
  enrolled: readonly Reading[],
): DifficultyFigures['baseline'] {
  const strangers = cows.filter(({ kind }) => kind === 'stranger');
  const cosines = strangers.map(({ pixelNearest }) => pixelNearest?.cosine ?? -1);
  const threshold = thresholdFor(cosines, baselineFalseShare);
  const isRight = ({ pixelNearest, cow }: Reading): boolean => pixelNearest?.name === cow;
  return {
    topOne: share(enrolled, isRight),
    rightAccepted: share(
      enrolled,
      (reading) => isRight(reading) && (reading.pixelNearest?.cosine ?? -1) >= threshold,
    ),
  };
}

function share<T>(all: readonly T[], holds: (one: T) => boolean): number {
  return rounded(all.length === 0 ? 0 : all.filter(holds).length / all.length);
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

function overlap(a: Scene['box'], b: Scene['box']): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}
