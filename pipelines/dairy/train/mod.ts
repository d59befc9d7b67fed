export { bars, judged, shortfalls } from './bars.ts';
export type { Bar, BarResult } from './bars.ts';
export { CowReader } from './cow-reader.ts';
export type { Scene } from './cow-reader.ts';
export { difficulties, evaluate } from './evaluate.ts';
export type { DifficultyFigures, EvaluateOptions, Figures } from './evaluate.ts';
export { modelBytesMax, netNames, readManifest, readNets } from './manifest.ts';
export type { IdentityEntry, Manifest, NetBytes, NetEntry, NetName } from './manifest.ts';
