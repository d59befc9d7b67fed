/**
 * `npm run train`: makes the models of the dairy pipeline from nothing but seeds.
 *
 * 1. renders the data set (two processes; about 2 GB under the system's temporary folder)
 * 2. trains filter and the two identity nets (train.py, PyTorch from Debian's packages)
 * 3. chooses the identity thresholds on cows of the validation range
 * 4. measures everything on test cows, for several seeds
 * 5. writes the .onnx files, models.json and MODEL_CARD.md
 * 6. with --tables: fits the risk coefficients (pipelines/dairy/risk/fit.ts) from those tables
 *
 * It is run by hand and its results are committed; neither a start nor a test needs Python.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { shortfalls } from './bars.ts';
import { cardOf } from './card.ts';
import { CowReader } from './cow-reader.ts';
import type { DatasetPlan } from './dataset.ts';
import { evaluate } from './evaluate.ts';
import {
  fileNameOf,
  filterEntry,
  identityEntry,
  manifestFormat,
  netNames,
  readManifest,
  writeManifest,
} from './manifest.ts';
import type { Manifest, NetBytes, NetEntry, NetName } from './manifest.ts';
import { optionsFrom, sizeOf } from './options.ts';
import type { RunSize, TrainOptions } from './options.ts';
import { pooled } from './pooled.ts';
import { requireTorch, runProgram, runTraining } from './run-python.ts';
import { chooseThresholds } from './thresholds.ts';

type TrainingReports = Readonly<Record<NetName, NetEntry['training']>>;

await main(optionsFrom(process.argv));

async function main(options: TrainOptions): Promise<void> {
  sharp.concurrency(1);
  sharp.cache(false);
  const training = options.measure
    ? reportsIn(await readManifest(options.out))
    : await trainFromSeeds(options);
  const manifest = await measure(options, sizeOf(options), training);
  await writeManifest(options.out, manifest);
  await writeFile(join(options.out, 'MODEL_CARD.md'), cardOf(manifest));
  if (!options.quick && !options.measure) await fitRisk(options.tables);
  for (const figures of manifest.figures) {
    for (const line of shortfalls(figures)) say(`BELOW THE BAR, ${figures.testSeed}: ${line}`);
  }
  say(`written to ${options.out}`);
}

async function trainFromSeeds(options: TrainOptions): Promise<TrainingReports> {
  await requireTorch();
  const { plan, epochs } = sizeOf(options);
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'freshet-train-')));
  try {
    await mkdir(options.out, { recursive: true });
    await mkdir(data, { recursive: true });
    await renderAll({ ...plan, draw: options.seed }, data, options.processes);
    return await trainAll(options, epochs, data);
  } finally {
    if (options.data === null) await rm(data, { recursive: true, force: true });
  }
}

async function renderAll(plan: DatasetPlan, folder: string, processes: number): Promise<void> {
  // Written last: a folder that holds the same plan holds a whole data set of it.
  const done = join(folder, 'plan.json');
  const text = JSON.stringify({ plan, processes });
  if (existsSync(done) && (await readFile(done, 'utf8')) === text) return;
  say(`rendering for ${2 * plan.cowsPerCoat} cows in ${processes} processes`);
  const shards = Array.from({ length: processes }, (_, shard) =>
    runProgram('build-shard.ts', [JSON.stringify(plan), folder, `${shard}`, `${processes}`]),
  );
  await Promise.all(shards);
  await writeFile(done, text);
}

/** Two nets at a time, one thread each: faster than one net on two threads, and repeatable. */
async function trainAll(
  options: TrainOptions,
  epochs: RunSize['epochs'],
  folder: string,
): Promise<TrainingReports> {
  const reports = await pooled(netNames, 2, async (net) => {
    const numbers = { epochs: epochs[net], seed: options.seed, threads: options.threads };
    const flags = Object.entries(numbers).flatMap(([flag, value]) => [`--${flag}`, `${value}`]);
    const args = [net, folder, join(options.out, fileNameOf(net)), ...flags];
    return await runTraining(args, (line) => say(`${net}: ${line}`));
  });
  const [filter = {}, white = {}, black = {}] = reports;
  return { filter, white, black };
}

async function measure(
  options: TrainOptions,
  size: RunSize,
  training: TrainingReports,
): Promise<Manifest> {
  const nets = await netsIn(options.out);
  const reader = await CowReader.open(nets);
  const { processes: width } = options;
  const thresholds = await chooseThresholds({ reader, width, ...size.validation }, (group) =>
    say(`validation group ${group} of ${size.validation.groups} read`),
  );
  say(`thresholds: white ${thresholds.white}, black ${thresholds.black}`);
  const figures = await pooled(options.testSeeds, width, async (testSeed) => {
    const seeds = { testSeed, unknownSeed: testSeed + 1 };
    const measured = await evaluate({ reader, thresholds, ...seeds, ...size.test });
    say(`test seed ${testSeed}: ${JSON.stringify(measured)}`);
    return measured;
  });
  await reader.close();
  return {
    format: manifestFormat,
    filter: filterEntry(nets.filter, training.filter),
    identity: {
      white: identityEntry('white', nets.white, thresholds.white, training.white),
      black: identityEntry('black', nets.black, thresholds.black, training.black),
    },
    made: {
      seed: options.seed,
      dataset: size.plan,
      epochs: size.epochs,
      validation: size.validation,
      test: size.test,
      quick: options.quick,
      sharp: sharp.versions.sharp,
      node: process.versions.node,
    },
    figures,
  };
}

async function netsIn(folder: string): Promise<NetBytes> {
  const [filter, white, black] = await Promise.all(
    netNames.map((net) => readFile(join(folder, fileNameOf(net)))),
  );
  if (filter === undefined || white === undefined || black === undefined) {
    throw new Error(`${folder} lacks a net`);
  }
  return { filter, white, black };
}

function reportsIn({ filter, identity }: Manifest): TrainingReports {
  const { white, black } = identity;
  return { filter: filter.training, white: white.training, black: black.training };
}

/** The risk room fits its own coefficients, from outside tables that no checkout holds. */
async function fitRisk(tables: string | null): Promise<void> {
  const fit = '../risk/fit.ts';
  if (!existsSync(fileURLToPath(new URL(fit, import.meta.url)))) return;
  if (tables === null) say('risk coefficients are left as they are: --tables names the data');
  else await runProgram(fit, ['--tables', tables]);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
