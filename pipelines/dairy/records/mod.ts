/** Milk and breeding records, made up for a herd that has none. */
export type { HerdCow, HerdOptions, HerdPut, HerdRecord } from './herd.ts';
export { generateHerd, gestation, herdLimits, toPuts } from './herd.ts';
export { expectedFat, expectedProtein, expectedYield } from './lactation.ts';
