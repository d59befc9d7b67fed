export { coreError, thrownCoreError } from './core-error.ts';
export { type DoorTrigger, readDoorTrigger } from './door-trigger.ts';
export { loadAddon } from './load.ts';
export type {
  DiskRoom,
  EpochOptions,
  FabricReport,
  MemberHandle,
  MemberOptions,
  NativeAddon,
  NativeView,
  ScanOptions,
  ShardOptions,
  ShardRules,
  TransportName,
} from './native.ts';
export {
  acks,
  clockColumns,
  clockWidth,
  diskRooms,
  extraColumns,
  extraWidth,
  frontierColumns,
  frontierWidth,
  headColumns,
  headWidth,
  lagKinds,
  multicastAlgorithms,
  readFloors,
  readPoints,
  recordKinds,
  rowKinds,
  rowWidth,
  transportKinds,
  transportNames,
  viewNotices,
} from './native.ts';
export type { PlacedPool } from './placement.ts';
export { Placement } from './placement.ts';
export { attachReader, RecordReader } from './record-reader.ts';
