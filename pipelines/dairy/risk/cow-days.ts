/**
 * Days in the lives of real cows, each with what was known before it and whether she calved soon:
 * the rows of the fit and of its evaluation.
 *
 * A row looks back only: inseminations, calvings and test days strictly before the day. It looks
 * ahead for its label alone, and is taken only where the label is certain: the next calving is
 * known, or a later test day shows that she had not calved by then. Cows that leave without
 * either are left out, so the figures are for cows that stayed.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { readCsv } from '../../../platform/client/mod.ts';
import { dayOf, parseEventTime } from '../../../platform/client/mod.ts';
import { canUseModel, gestationSpan } from './features.ts';
import type { CowDay, LastMilk } from './features.ts';

const testDayFile = 'dairyherd_rec_20herds.csv';
const inseminationFile = 'dairyherd_ai_20herds.csv';
export const tableFiles = [testDayFile, inseminationFile] as const;

export interface LabelledDay extends CowDay {
  readonly herd: string;
  readonly cow: string;
  /** From the day in question to the next calving; null when it is only known to be later. */
  readonly daysToCalving: number | null;
  /** Days from this one for which it is known whether she calved. */
  readonly daysKnown: number;
}

interface TestDay {
  readonly day: number;
  readonly parity: number;
  readonly calving: number;
  readonly yield: number;
  readonly fat: number;
  readonly protein: number;
}

interface Cow {
  /** Of her first test day; all of her days belong to it, so no cow is in two herds. */
  readonly herd: string;
  /** By day. */
  readonly tests: TestDay[];
  /** Days, ascending. */
  readonly inseminations: number[];
}

/** @param folder with the `tableFiles` */
export async function readCowDays(folder: string, horizonMax: number): Promise<LabelledDay[]> {
  const cows = await readCows(folder);
  const days: LabelledDay[] = [];
  for (const [name, cow] of cows) daysOf(name, cow, horizonMax, days);
  return days;
}

async function readCows(folder: string): Promise<Map<string, Cow>> {
  const cows = new Map<string, Cow>();
  for await (const cell of tableRows(join(folder, testDayFile))) {
    const name = cell('anim_id');
    const cow = cows.get(name) ?? { herd: cell('herd_id'), tests: [], inseminations: [] };
    cows.set(name, cow);
    cow.tests.push({
      day: toDay(cell('ctrl_date')),
      parity: Number(cell('parity')),
      calving: toDay(cell('calv_date')),
      yield: Number(cell('milk')),
      fat: Number(cell('fat')),
      protein: Number(cell('prot')),
    });
  }
  for await (const cell of tableRows(join(folder, inseminationFile))) {
    cows.get(cell('cow_id'))?.inseminations.push(toDay(cell('ai_date')));
  }
  for (const cow of cows.values()) {
    cow.tests.sort((a, b) => a.day - b.day);
    cow.inseminations.sort((a, b) => a - b);
  }
  return cows;
}

async function* tableRows(file: string): AsyncGenerator<(column: string) => string> {
  let header: readonly string[] | null = null;
  for await (const row of readCsv(createReadStream(file))) {
    if (row.kind === 'bad') throw new Error(`${file}, line ${row.at.line}: ${row.reason}`);
    if (header === null) {
      header = row.fields;
      continue;
    }
    const columns = header;
    yield (column) => row.fields[columns.indexOf(column)] ?? '';
  }
}

function toDay(text: string): number {
  const micros = parseEventTime(text, 'iso');
  if (micros === null) throw new Error(`${text} is no date`);
  return dayOf(micros);
}

function daysOf(name: string, cow: Cow, horizonMax: number, days: LabelledDay[]): void {
  const calvings = new Map(cow.tests.map((test) => [test.calving, test.parity]));
  const starts = [...calvings.keys()].sort((a, b) => a - b);
  const lastTest = cow.tests.at(-1)?.day ?? 0;
  for (const [i, insemination] of cow.inseminations.entries()) {
    const nextInsemination = cow.inseminations[i + 1] ?? Infinity;
    const calved = starts.findLast((day) => day <= insemination) ?? null;
    const next = starts.find((day) => day > insemination) ?? null;
    const parity = calved === null ? 0 : (calvings.get(calved) ?? 0);
    // Bought, or calved before the tables begin: what came before is not known.
    if (calved === null && (next === null || calvings.get(next) !== 1)) continue;
    const first = insemination + gestationSpan.first;
    const last = Math.min(insemination + gestationSpan.last, nextInsemination, next ?? Infinity);
    for (let day = first; day <= last; day += 1) {
      const daysKnown = next === null ? lastTest - day : Infinity;
      if (daysKnown < horizonMax) break;
      const labelled = {
        herd: cow.herd,
        cow: name,
        daysSinceInsemination: day - insemination,
        parity,
        daysSinceCalving: calved === null ? null : day - calved,
        milk: calved === null ? null : milkBefore(cow.tests, day, calved),
        daysToCalving: next === null ? null : next - day,
        daysKnown,
      };
      if (canUseModel(labelled)) days.push(labelled);
    }
  }
}

/** The last test day of this lactation strictly before the day. */
function milkBefore(tests: readonly TestDay[], day: number, calving: number): LastMilk | null {
  const last = tests.findLast((test) => test.day < day && test.calving === calving);
  if (last === undefined) return null;
  const { fat, protein } = last;
  return { daysSinceRecord: day - last.day, yield: last.yield, fat, protein };
}

/** Whether she calves on the day in question or one of the `horizon - 1` days after it. */
export function calvesWithin(day: LabelledDay, horizon: number): boolean {
  return day.daysToCalving !== null && day.daysToCalving < horizon;
}
