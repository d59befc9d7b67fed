/**
 * What became of a run's frames, read from the pools by a client of its own: nothing here comes
 * from the camera but the name of the run and how many frames it numbered.
 */
import type { Database, Stored } from '../../../platform/client/mod.ts';
import type { Refusal, Sighting } from '../lambdas/values.ts';

export interface RunOutcome {
  /** Frames that the camera numbered. */
  readonly frames: number;
  /** Frames without a cow, which the filter ended. */
  readonly filtered: number;
  /** Sightings of a cow of the herd; the other stored ones are of unknown cows. */
  readonly identified: number;
  /** Sightings in `/dairy/storage`. */
  readonly stored: number;
  readonly members: number;
  /** From the frame's capture to the commit of its sighting. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly frames_per_s: number;
  /** Numbered and found in no pool. */
  readonly lost: number;
}

/** Frames of the run that are found, each counted once. */
interface Found {
  readonly sightings: ReadonlyMap<string, Stored<Sighting>>;
  readonly refusals: ReadonlySet<string>;
}

export async function readBack(
  db: Database,
  run: string,
  frames: number,
  startedUs: number,
): Promise<RunOutcome> {
  const { sightings, refusals } = await findRun(db, run);
  const { members } = await db.members();
  const stored = [...sightings.values()];
  const delays = stored
    .flatMap(({ time, eventTime }) => (eventTime === null ? [] : [(time - eventTime) / 1000]))
    .toSorted((a, b) => a - b);
  const lastUs = Math.max(startedUs, ...stored.map(({ time }) => time));
  const seconds = (lastUs - startedUs) / 1e6;
  return {
    frames,
    filtered: refusals.size,
    identified: stored.filter(({ value }) => value.cow !== null).length,
    stored: stored.length,
    members: members.filter(({ up }) => up).length,
    p50_ms: quantile(delays, 0.5),
    p99_ms: quantile(delays, 0.99),
    frames_per_s: seconds === 0 ? 0 : Math.round((frames / seconds) * 100) / 100,
    lost: frames - new Set([...sightings.keys(), ...refusals]).size,
  };
}

/** How many frames of the run have been dealt with so far. */
export async function countRun(db: Database, run: string): Promise<number> {
  const { sightings, refusals } = await findRun(db, run);
  return sightings.size + refusals.size;
}

async function findRun(db: Database, run: string): Promise<Found> {
  const sightings = new Map<string, Stored<Sighting>>();
  const refusals = new Set<string>();
  const ofRun = `${run}/`;
  const stored = db
    .pool<Sighting>('/dairy/storage')
    .versions()
    .where((o) => o.meta.get('frame').startsWith(ofRun));
  for await (const sighting of stored) {
    const frame = sighting.meta['frame'];
    if (frame !== undefined) sightings.set(frame, sighting);
  }
  const refused = db
    .pool<Refusal>('/dairy/refused')
    .versions()
    .where((o) => o.meta.get('frame').startsWith(ofRun));
  for await (const { meta } of refused) {
    const frame = meta['frame'];
    if (frame !== undefined) refusals.add(frame);
  }
  return { sightings, refusals };
}

/** Nearest rank; null of nothing. */
function quantile(sorted: readonly number[], q: number): number | null {
  if (sorted.length === 0) return null;
  const value = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return Math.round(value * 100) / 100;
}
