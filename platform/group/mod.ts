export type { SentBlock } from './block-trace.ts';
export { traceBlocks } from './block-trace.ts';
export type { CascadeLayout, CascadeOptions } from './cascade-layout.ts';
export { readCascadeLayout } from './cascade-layout.ts';
export type { DataFolder, FolderFormat } from './data-folder.ts';
export { openDataFolder } from './data-folder.ts';
export { EventStream } from './event-stream.ts';
export type { GroupView, MemberState } from './group-view.ts';
export { Group } from './group.ts';
export { groupLimits } from './group-limits.ts';
export type { Closing, GroupStatus, Tenants } from './machine-types.ts';
export type { GroupOptions, MemberAddress } from './group-options.ts';
export type { LogCareConfig, LogCareCounts } from './log-care.ts';
export type { ShardLayout, Subgroup } from './layout.ts';
export type { LayoutRequest } from './layout-change.ts';
export { parseLayoutRequest } from './layout-change.ts';
export { Layout } from './layout.ts';
export type { ShardOptions, SubgroupKind, SubgroupOptions } from './layout-options.ts';
export {
  catalogSubgroup,
  defaultMulticast,
  defaultSlowMember,
  defaultSubgroups,
  SubgroupSchema,
} from './layout-options.ts';
export type { LayoutPlan, PlannedShard, ShardWait } from './layout-plan.ts';
export type { LayoutRules, ShardRules, SubgroupRules } from './layout-rules.ts';
export { resolveLayout } from './layout-rules.ts';
export type {
  Completion,
  CoreChange,
  CoreListener,
  CoreResult,
  EventShare,
  SubscriptionHandler,
} from './core-types.ts';
export type { ClockReport } from './clock-watch.ts';
export { MemberClock } from './member-clock.ts';
export { MemberCore } from './member-core.ts';
export type { CallHandler, CallOptions } from './peer-messages.ts';
export { PeerMessages } from './peer-messages.ts';
export type { PackedRecord, RecordHead } from './record.ts';
export { lastHead, paddedLength, readHead, readRecord, readRecords } from './record.ts';
export { folderFiles } from './record-files.ts';
export type { MoveOptions, ShardMove } from './shard-moves.ts';
export { beginMove, planMoves } from './shard-moves.ts';
export { dataShardFolders } from './shard-folders.ts';
export { planShards } from './shard-plan.ts';
export { TokenTable } from './token-table.ts';
export { ChangeWaiter } from './waiter.ts';
export { readViewRecord } from './view-record.ts';
