export { coreError, thrownCoreError } from './core-error.ts';
export type { DataFolder, FolderFormat } from './data-folder.ts';
export { openDataFolder } from './data-folder.ts';
export type {
  GroupEffect,
  GroupEvent,
  GroupStatus,
  MachineOptions,
  Position,
} from './establish-machine.ts';
export { EstablishMachine } from './establish-machine.ts';
export { EventStream } from './event-stream.ts';
export type { GroupOptions, GroupView, MemberAddress, MemberState } from './group.ts';
export { Group } from './group.ts';
export { groupLimits } from './group-limits.ts';
export type { LogCareConfig, LogCareCounts } from './log-care.ts';
export type { ShardLayout, Subgroup, SubgroupKind, SubgroupOptions } from './layout.ts';
export { catalogSubgroup, defaultSubgroups, Layout } from './layout.ts';
export type {
  Completion,
  CoreChange,
  CoreListener,
  CoreResult,
  EventShare,
  SubscriptionHandler,
} from './core-types.ts';
export { MemberCore } from './member-core.ts';
export type { CallHandler, CallOptions } from './peer-messages.ts';
export { PeerMessages } from './peer-messages.ts';
export type { PackedRecord, RecordHead } from './record.ts';
export { lastHead, paddedLength, readHead, readRecord, readRecords } from './record.ts';
export { TokenTable } from './token-table.ts';
export type { ViewRecord } from './view-record.ts';
export { noView, readViewRecord, writeViewRecord } from './view-record.ts';
