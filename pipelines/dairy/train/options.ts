/** The options of `npm run train`, and how much work the full and the quick run do. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { DatasetPlan } from './dataset.ts';
import type { NetName } from './manifest.ts';

export type TrainOptions = {
  readonly quick: boolean;
  /** Trains nothing: chooses thresholds and measures for the nets that are there. */
  readonly measure: boolean;
  readonly seed: number;
  readonly out: string;
  /** Null: a temporary folder, removed at the end. */
  readonly data: string | null;
  /** Folder of insemination and milk tables; null leaves the risk coefficients alone. */
  readonly tables: string | null;
  readonly processes: number;
  readonly threads: number;
  readonly testSeeds: readonly number[];
};

type Questions = { readonly cows: number; readonly framesPerCow: number };

export type RunSize = {
  readonly plan: Omit<DatasetPlan, 'draw'>;
  readonly epochs: Readonly<Record<NetName, number>>;
  readonly validation: Questions & { readonly groups: number };
  readonly test: Questions & { readonly emptyFrames: number };
};

const full: RunSize = {
  plan: { cowsPerCoat: 480, ordinaryPerCow: 11, hardPerCow: 7, empties: 5200 },
  epochs: { filter: 6, white: 5, black: 5 },
  validation: { groups: 2, cows: 32, framesPerCow: 3 },
  test: { cows: 32, framesPerCow: 5, emptyFrames: 100 },
};

/** Only shows that every step runs; its models are worth nothing. */
const quick: RunSize = {
  plan: { cowsPerCoat: 8, ordinaryPerCow: 6, hardPerCow: 2, empties: 72 },
  epochs: { filter: 2, white: 2, black: 2 },
  validation: { groups: 1, cows: 6, framesPerCow: 1 },
  test: { cows: 4, framesPerCow: 1, emptyFrames: 6 },
};

export function sizeOf(options: TrainOptions): RunSize {
  return options.quick ? quick : full;
}

const modelsFolder = fileURLToPath(new URL('../models', import.meta.url));
const quickFolder = join(tmpdir(), 'freshet-quick-models');

export function optionsFrom(argv: readonly string[]): TrainOptions {
  const command = new Command('train')
    .description("Renders cows, trains the dairy pipeline's models and measures them.")
    .option('--quick', 'a few pictures and epochs: shows that every step runs', false)
    .option('--measure', 'train nothing, measure the nets that are there', false)
    .option('--seed <n>', 'seed of data set and training', wholeNumber, 0)
    .option('--out <folder>', 'where models.json and the .onnx files go (quick: a temporary one)')
    .option('--data <folder>', 'keeps the data set here, or takes the one that is here')
    .option('--tables <folder>', 'fits the risk coefficients too, from the tables in there')
    .option('--processes <n>', 'that render side by side', wholeNumber, 2)
    .option('--threads <n>', 'of each training; more than 1 is not repeatable', wholeNumber, 1)
    .option('--test-seeds <list>', 'each draws other test cows', wholeNumbers, [101, 201, 301])
    .parse([...argv]);
  type Paths = 'out' | 'data' | 'tables';
  const { out, data, tables, ...rest } = command.opts<
    Omit<TrainOptions, Paths> & Partial<Record<Paths, string>>
  >();
  const folder = out ?? (rest.quick ? quickFolder : modelsFolder);
  return { ...rest, out: folder, data: data ?? null, tables: tables ?? null };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${text} is no whole number`);
}

function wholeNumbers(text: string): number[] {
  return text.split(',').map(wholeNumber);
}
