export type { QueryEngineOptions, QueryExecutor, ShardRunner } from './engine.ts';
export { localShards, QueryEngine } from './engine.ts';
export type { QueryLimits } from './limits.ts';
export { queryLimits } from './limits.ts';
export type { OrderingValue } from './local-query.ts';
export { LocalOrderedQuery, LocalQuery } from './local-query.ts';
export type { Cut, PlanOperator, PlanSource, QueryPlan, SortOperator, SourceKind } from './plan.ts';
export { parsePlan } from './plan.ts';
export type { MergePlan, PhysicalPlan } from './planner.ts';
export { planQuery } from './planner.ts';
export type { Condition, OrderingKey, QueryOptions, QueryStart } from './query.ts';
export { OrderedQuery, Query, queryKeys, queryObjects, queryVersions } from './query.ts';
export type { Row, RowOrder } from './row-order.ts';
export type { CompiledScan, OrderKey, OrderStrategy, ShardPlan } from './shard-plan.ts';
export { compileScan, parseShardPlan } from './shard-plan.ts';
export { runShard } from './shard-run.ts';
export type {
  ScannedRecord,
  ScanRequest,
  ShardRef,
  ShardSource,
  TimeAxis,
  ValueKind,
} from './source.ts';
export type { Batches } from './stages.ts';
