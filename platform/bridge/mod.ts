export { loadAddon } from './load.ts';
export type {
  EpochOptions,
  MemberHandle,
  MemberOptions,
  NativeAddon,
  ScanOptions,
  ShardOptions,
} from './native.ts';
export {
  acks,
  extraColumns,
  extraWidth,
  frontierColumns,
  frontierWidth,
  headColumns,
  headWidth,
  readFloors,
  readPoints,
  recordKinds,
  rowKinds,
  rowWidth,
} from './native.ts';
export { attachReader, RecordReader } from './record-reader.ts';
