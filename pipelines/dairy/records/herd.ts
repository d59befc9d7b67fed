/**
 * A made-up herd's records: for each cow her inseminations, calvings and daily milk, as they would
 * have been written down. The same cows, days and seed give the same records; what is written of
 * a day does not depend on how far the records go on after it.
 */
import { Random } from '../camera/random.ts';
import { isoDay, microsPerDay } from '../../../platform/client/mod.ts';
import { expectedFat, expectedProtein, expectedYield } from './lactation.ts';

export interface HerdOptions {
  readonly cows: readonly HerdCow[];
  /** Days since 1970-01-01; records of both days and all between them. */
  readonly firstDay: number;
  readonly lastDay: number;
  readonly seed: number;
}

export interface HerdCow {
  /** As in keys: `cow_<name>`. */
  readonly name: string;
  /** Age on `firstDay`, days; null draws one from a heifer's to that of an old cow. */
  readonly ageDays?: number | null;
}

export type HerdRecord =
  | {
      readonly kind: 'insemination';
      readonly cow: string;
      readonly day: number;
      /** Calvings before it. */
      readonly parity: number;
      readonly lastCalvingDay: number | null;
    }
  | {
      readonly kind: 'calving';
      readonly cow: string;
      readonly day: number;
      /** With this calving. */
      readonly parity: number;
    }
  | {
      readonly kind: 'milk';
      readonly cow: string;
      readonly day: number;
      /** kg. */
      readonly yield: number;
      /** %. */
      readonly fat: number;
      readonly protein: number;
    };

export interface HerdPut {
  readonly key: string;
  readonly value: Readonly<Record<string, number | string | null>>;
  /** Microseconds since 1970. */
  readonly eventTime: number;
}

export const herdLimits = { cowsMax: 10_000, daysMax: 36_600, cowDaysMax: 10_000_000 } as const;

/** Days from the insemination that took to calving, as in dairy herds: mean and deviation. */
export const gestation = { mean: 282, deviation: 9.3 } as const;

/** Days. Ages and pauses are usual practice in herds that calve all year. */
const practice = {
  firstInseminationAge: 440,
  restAfterCalving: 62,
  cycle: 21,
  conceptionChance: 0.42,
  dryPeriod: 60,
  drawnAge: [300, 2600],
} as const;

/** By day, and within a day in the order of the cows. @throws RangeError beyond `herdLimits` */
export function generateHerd(options: HerdOptions): HerdRecord[] {
  const { cows, firstDay, lastDay, seed } = options;
  const days = lastDay - firstDay + 1;
  const isTooMuch =
    cows.length > herdLimits.cowsMax ||
    days > herdLimits.daysMax ||
    cows.length * days > herdLimits.cowDaysMax;
  if (isTooMuch || !(days >= 1)) {
    throw new RangeError(`no records for ${cows.length} cows over ${days} days`);
  }
  const records = cows.flatMap((cow) =>
    lifeOf(cow, options, seedOf(seed, cow.name)).filter(
      ({ day }) => day >= firstDay && day <= lastDay,
    ),
  );
  return records.sort((a, b) => a.day - b.day);
}

/** A cow's luck hangs on her name, so that another herd mate changes nothing for her. */
function seedOf(seed: number, name: string): number {
  let hash = seed >>> 0;
  for (const byte of Buffer.from(name)) hash = (Math.imul(hash ^ byte, 0x01000193) + 1) >>> 0;
  return hash;
}

function lifeOf(cow: HerdCow, { firstDay, lastDay }: HerdOptions, seed: number): HerdRecord[] {
  const random = new Random(seed);
  const drawnAge = random.integer(...practice.drawnAge);
  const birth = firstDay - (cow.ageDays ?? drawnAge);
  const level = Math.exp(0.12 * random.normal());
  const records: HerdRecord[] = [];
  let lastCalvingDay: number | null = null;
  let wait: number = practice.firstInseminationAge;
  for (let parity = 0; ; parity += 1) {
    const from: number = lastCalvingDay ?? birth;
    const service = serve(random, cow.name, parity, from + wait, lastCalvingDay);
    records.push(...service);
    const took = service.at(-1)?.day ?? from;
    const calving: number = took + gestationDays(random);
    if (lastCalvingDay !== null) {
      const dry = Math.min(took + gestation.mean, calving) - practice.dryPeriod;
      const until = Math.min(dry, lastDay + 1);
      // Its own chance, so that the days of milk that are asked for change no later date.
      const milkRandom = new Random(random.bits());
      records.push(...milkOf(cow.name, parity, lastCalvingDay, until, level, milkRandom));
    }
    if (calving > lastDay) return records;
    records.push({ kind: 'calving', cow: cow.name, day: calving, parity: parity + 1 });
    lastCalvingDay = calving;
    wait = practice.restAfterCalving;
  }
}

/** Inseminations a cycle apart until one takes. */
function serve(
  random: Random,
  cow: string,
  parity: number,
  from: number,
  lastCalvingDay: number | null,
): HerdRecord[] {
  const inseminations: HerdRecord[] = [];
  let day = Math.round(from + Math.abs(10 * random.normal()));
  for (;;) {
    inseminations.push({ kind: 'insemination', cow, day, parity, lastCalvingDay });
    if (random.chance(practice.conceptionChance)) return inseminations;
    day += Math.round(practice.cycle + 1.5 * random.normal());
  }
}

/** Three deviations at most: a calf a month early is no entry in a herd book. */
function gestationDays(random: Random): number {
  const spread = Math.max(-3, Math.min(3, random.normal()));
  return Math.round(gestation.mean + gestation.deviation * spread);
}

function milkOf(
  cow: string,
  parity: number,
  calving: number,
  until: number,
  level: number,
  random: Random,
): HerdRecord[] {
  const records: HerdRecord[] = [];
  for (let day = calving + 1; day < until; day += 1) {
    const inMilk = day - calving;
    const litres = expectedYield(parity, inMilk) * level * (1 + 0.05 * random.normal());
    const fat = expectedFat(inMilk) + 0.2 * random.normal();
    const protein = expectedProtein(inMilk) + 0.07 * random.normal();
    records.push({
      kind: 'milk',
      cow,
      day,
      yield: rounded(Math.max(0.5, litres), 1),
      fat: rounded(Math.max(1.5, fat), 2),
      protein: rounded(Math.max(1.5, protein), 2),
    });
  }
  return records;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Hour of the day at which a day's record is complete: after the evening's milking. */
const recordedAtHour = 18;

/**
 * The puts of the dairy pools: one each for yield, fat and protein of a day of milk, one for an
 * insemination or a calving, dates as YYYY-MM-DD.
 *
 * @param pool the prefix of all keys
 */
export function toPuts(record: HerdRecord, pool = '/dairy'): HerdPut[] {
  const eventTime = record.day * microsPerDay + (recordedAtHour * microsPerDay) / 24;
  const put = (kind: string, value: HerdPut['value']): HerdPut => ({
    key: `${pool}/${kind}/cow_${record.cow}`,
    value,
    eventTime,
  });
  switch (record.kind) {
    case 'milk':
      return [
        put('daily_yield', { yield: record.yield }),
        put('daily_fat', { fat: record.fat }),
        put('daily_protein', { protein: record.protein }),
      ];
    case 'insemination': {
      const { day, parity, lastCalvingDay } = record;
      const lastCalving = lastCalvingDay === null ? null : isoDay(lastCalvingDay);
      return [put('insemination', { date: isoDay(day), parity, lastCalving })];
    }
    case 'calving':
      return [put('calving', { date: isoDay(record.day), parity: record.parity })];
  }
}
