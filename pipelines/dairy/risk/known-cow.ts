/**
 * The newest records of a cow, as they lie in the pools, to what the risk model takes: only what
 * was written down before the moment that is asked about counts.
 */
import { dayOf, parseEventTime } from '../../../platform/client/mod.ts';
import type { CowDay, LastMilk } from './features.ts';

/** One record of a pool; µs since 1970, and what was measured. */
export interface Measured {
  readonly eventTime: number;
  readonly value: number;
}

export interface Insemination {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly parity: number;
  /** YYYY-MM-DD; null for a heifer, or when it is not known. */
  readonly lastCalving: string | null;
}

export interface CowRecords {
  readonly insemination: Insemination;
  /** Newest first or last, whichever; ten of each are enough. */
  readonly yields: readonly Measured[];
  readonly fats: readonly Measured[];
  readonly proteins: readonly Measured[];
}

/** Days whose records are averaged, up to the last one: one in a monthly herd, ten in a daily. */
const averagedDays = 10;

/**
 * @param at µs since 1970, the moment that is asked about
 * @returns null when the insemination lies after that moment or bears no date
 */
export function knownCow(records: CowRecords, at: number): CowDay | null {
  const { date, parity, lastCalving } = records.insemination;
  const inseminated = dayOfDate(date);
  const day = dayOf(at);
  if (inseminated === null || inseminated > day) return null;
  const calved = lastCalving === null ? null : dayOfDate(lastCalving);
  return {
    daysSinceInsemination: day - inseminated,
    parity,
    daysSinceCalving: calved === null ? null : day - calved,
    milk: calved === null ? null : lastMilk(records, at, calved),
  };
}

function lastMilk(records: CowRecords, at: number, calved: number): LastMilk | null {
  const ofLactation = ({ eventTime }: Measured): boolean =>
    eventTime < at && dayOf(eventTime) >= calved;
  const yields = records.yields.filter(ofLactation);
  if (yields.length === 0) return null;
  const newest = Math.max(...yields.map(({ eventTime }) => dayOf(eventTime)));
  const recent = (measured: readonly Measured[]): number | null => {
    const inside = measured
      .filter(ofLactation)
      .filter(({ eventTime }) => dayOf(eventTime) > newest - averagedDays);
    const sum = inside.reduce((total, { value }) => total + value, 0);
    return inside.length === 0 ? null : sum / inside.length;
  };
  return {
    daysSinceRecord: dayOf(at) - newest,
    yield: recent(yields) ?? 0,
    fat: recent(records.fats),
    protein: recent(records.proteins),
  };
}

function dayOfDate(text: string): number | null {
  const micros = parseEventTime(text, 'iso');
  return micros === null ? null : dayOf(micros);
}
