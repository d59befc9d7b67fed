export { coreError, thrownCoreError } from './core-error.ts';
export { type DoorTrigger, readDoorTrigger } from './door-trigger.ts';
export { loadAddon } from './load.ts';
export type {
  EpochOptions,
  MemberHandle,
  MemberOptions,
  NativeAddon,
  NativeView,
  ScanOptions,
  ShardOptions,
  ShardRules,
} from './native.ts';
export type { DiskRoom } from './native-columns.ts';
export {
  acks,
  clockColumns,
  clockWidth,
  diskRooms,
  extraColumns,
  extraWidth,
  frontierColumns,
  frontierWidth,
  glances,
  headColumns,
  headWidth,
  lagKinds,
  multicastAlgorithms,
  readFloors,
  readPoints,
  recordKinds,
  rowKinds,
  rowWidth,
  viewNotices,
} from './native-columns.ts';
export type { FabricReport, TransportName } from './native-transports.ts';
export { transportKinds, transportNames } from './native-transports.ts';
export type { PlacedPool } from './placement.ts';
export { Placement } from './placement.ts';
export { attachReader, RecordReader } from './record-reader.ts';
