export type {
  Arrival,
  ArrivalSource,
  ArrivalSubscription,
  Position,
  ShardPlace,
} from './arrivals.ts';
export { catalogKeys, deadLetterPool } from './catalog.ts';
export type { LambdaCatalog } from './catalog.ts';
export type { DeadLetter } from './dead-letters.ts';
export type { PreparedPipeline } from './deploy.ts';
export { describeChange, parsePrepared, preparePipeline } from './deploy.ts';
export type { DeployedPipeline, LambdaNode } from './pipeline.ts';
export { PipelineSchema } from './pipeline.ts';
export type { StageReach } from './reaches.ts';
export type { RuntimeOptions } from './runtime.ts';
export { LambdaRuntime } from './runtime.ts';
export type { Stage } from './stage.ts';
export { delayBucketsMicros } from './stage-metrics.ts';
export { workerEntry } from './worker-entry.ts';
export type { WorkerLimits } from './worker-host.ts';
export { workerLimits } from './worker-host.ts';
