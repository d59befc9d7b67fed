/**
 * The demo's clients, as a program of their own: settles the herd, runs the camera, tells what is
 * recognised. With `--frames` it ends after so many, with the outcome read back from the pools.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  connect,
  type Database,
  FreshetError,
  isFreshetError,
} from '../../../platform/client/mod.ts';
import type { Assessment, Sighting } from '../lambdas/values.ts';
import { runCamera } from './camera-run.ts';
import { demoHerd, settleHerd } from './herd.ts';
import { countRun, readBack, type RunOutcome } from './read-back.ts';

const { values: flags } = parseArgs({
  options: {
    address: { type: 'string', default: '127.0.0.1:7401' },
    http: { type: 'string', default: '' },
    fps: { type: 'string', default: '4' },
    cameras: { type: 'string', default: '3' },
    frames: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

/** How long frames may be under way after the last was sent, before they count as lost. */
const settleTimeoutMs = 60_000;
const pollMs = 100;
const isTerminal = process.stderr.isTTY;

async function main(): Promise<void> {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      abort.abort();
    });
  }
  const frames = flags.frames === undefined ? null : Number(flags.frames);
  const db = await connect(flags.address);
  const nowUs = () => Math.round((performance.timeOrigin + performance.now()) * 1000);
  try {
    const herd = demoHerd();
    await settleHerd(db, herd, nowUs(), progress);
    progress('');
    if (frames === null) void show(db, abort.signal);
    const run = randomUUID().slice(0, 8);
    const startedUs = nowUs();
    const fps = Number(flags.fps);
    const numbered = await runCamera(db, herd, {
      run,
      cameras: Number(flags.cameras),
      frames,
      rate: fps > 0 && frames === null ? fps : null,
      nowUs,
      signal: abort.signal,
      onFrame: (sent) => {
        if (frames !== null) progress(`frame ${String(sent)} of ${String(frames)}`);
      },
    });
    if (frames !== null) report(await outcomeOf(run, numbered, startedUs));
  } finally {
    progress('');
    await db.close();
  }
}

/**
 * Waits until every frame is dealt with, then reads all of them back, through a client of its own.
 */
async function outcomeOf(run: string, numbered: number, startedUs: number): Promise<RunOutcome> {
  const reader = await connect(flags.address);
  try {
    const deadline = performance.now() + settleTimeoutMs;
    while ((await countRun(reader, run)) < numbered && performance.now() < deadline) {
      await sleep(pollMs);
    }
    return await readBack(reader, run, numbered, startedUs);
  } finally {
    await reader.close();
  }
}

function report(outcome: RunOutcome): void {
  progress('');
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
    return;
  }
  for (const [name, value] of Object.entries(outcome)) {
    process.stdout.write(`${name.padEnd(14)}${String(value)}\n`);
  }
}

/** Prints sightings as they are stored, each with what is known of the cow's calving. */
async function show(db: Database, signal: AbortSignal): Promise<void> {
  const risks = new Map<string, Assessment>();
  const readRisks = async () => {
    for await (const event of db.pool<Assessment>('/dairy/risk').watch({ signal })) {
      if (event.kind === 'put') risks.set(event.object.value.cow, event.object.value);
    }
  };
  readRisks().catch(ignoreEnd);
  try {
    for await (const event of db.pool<Sighting>('/dairy/storage').watch({ signal })) {
      if (event.kind !== 'put') continue;
      const { value, time, eventTime, version } = event.object;
      const ms = eventTime === null ? '' : `${((time - eventTime) / 1000).toFixed(0)} ms`;
      const risk = value.cow === null ? undefined : risks.get(value.cow);
      const calving =
        risk === undefined
          ? ''
          : `calving within ${String(risk.withinDays * 24)} h: ${risk.probability.toFixed(2)}`;
      const name = value.cow ?? 'unknown cow';
      const line = [
        name.padEnd(12),
        value.coat.padEnd(6),
        value.similarity.toFixed(2),
        ms.padStart(7),
        `v${String(version)}`,
        calving,
      ];
      process.stderr.write(`${line.join('  ')}\n`);
    }
  } catch (error) {
    ignoreEnd(error);
  }
}

function ignoreEnd(error: unknown): void {
  if (isFreshetError(error, 'CANCELLED')) return;
  if (isFreshetError(error)) process.stderr.write(`${error.toString()}\n`);
  else throw error;
}

function progress(text: string): void {
  if (isTerminal) process.stderr.write(`\r\u001b[K${text}`);
}

try {
  await main();
} catch (error) {
  const coded = error instanceof FreshetError ? error.toString() : String(error);
  process.stderr.write(`${coded}\n`);
  process.exitCode = 1;
}
