/** Milk and breeding records: read from tables, or made up for a herd that has none. */
export type { CsvOptions, CsvRow } from './csv.ts';
export { csvLimits, readCsv } from './csv.ts';
export type { TimeFormat } from './event-time.ts';
export { dayOf, isoDay, microsPerDay, parseEventTime, timeFormats } from './event-time.ts';
export type { HerdCow, HerdOptions, HerdPut, HerdRecord } from './herd.ts';
export { generateHerd, gestation, herdLimits, toPuts } from './herd.ts';
export { expectedFat, expectedProtein, expectedYield } from './lactation.ts';
export type { ImportedValue, ImportItem, ImportOptions } from './plan-import.ts';
export { planImport } from './plan-import.ts';
