/**
 * The plain rival of the model, and what is used where the model has nothing to go by: how often
 * cows calved within the horizon, for each number of days since their last insemination.
 */
import { gestationSpan } from './features.ts';

/** A probability for each day of `gestationSpan`, both ends included. */
export type InseminationTable = readonly number[];

export function fitTable(
  rows: readonly { readonly daysSinceInsemination: number; readonly isCalving: boolean }[],
): InseminationTable {
  const size = gestationSpan.last - gestationSpan.first + 1;
  const counts = new Float64Array(size);
  const calvings = new Float64Array(size);
  for (const row of rows) {
    const at = row.daysSinceInsemination - gestationSpan.first;
    counts[at] = (counts[at] ?? 0) + 1;
    calvings[at] = (calvings[at] ?? 0) + (row.isCalving ? 1 : 0);
  }
  // Half a calving in a day that nobody saw: no probability is 0 or 1.
  return Array.from(counts, (count, at) => ((calvings[at] ?? 0) + 0.5) / (count + 1));
}

/**
 * Before the span the lowest of the table, as nobody calves then; after it the last.
 *
 * @param days since the last insemination
 */
export function lookUp(table: InseminationTable, days: number): number {
  if (days < gestationSpan.first) return Math.min(...table);
  const last = table.at(-1) ?? 0;
  return table[Math.floor(days) - gestationSpan.first] ?? last;
}
