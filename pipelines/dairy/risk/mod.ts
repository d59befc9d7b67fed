/** The chance that a cow calves soon. The fit (`fit.ts`) is a script and not exported. */
export type { CowDay, LastMilk } from './features.ts';
export type { CowRecords, Insemination, Measured } from './known-cow.ts';
export { knownCow } from './known-cow.ts';
export type { CalvingRisk, RiskCoefficients } from './predict.ts';
export { parseCoefficients, predictCalving } from './predict.ts';
