export { loadAddon } from './load.ts';
export type {
  DiskRoom,
  EpochOptions,
  MemberHandle,
  MemberOptions,
  NativeAddon,
  NativeView,
  ScanOptions,
  ShardOptions,
  ShardRules,
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
  readFloors,
  readPoints,
  recordKinds,
  rowKinds,
  rowWidth,
  viewNotices,
} from './native.ts';
export { attachReader, RecordReader } from './record-reader.ts';
