export type { HostProblem } from './address.ts';
export { findHostProblem, formatAddress, plainHost } from './address.ts';
export type { AgentWork } from './agent-work.ts';
export { agentWork, copyCounters, counterOfWork } from './agent-work.ts';
export type { CancelTimer, Clock, TimeSource } from './clock.ts';
export { ManualClock, SystemClock } from './clock.ts';
export type { ConfigProblem, Frozen, ParseConfigOptions } from './config.ts';
export { describeProblems, findProblems, parseConfig } from './config.ts';
export { editDistance, nearestName } from './edit-distance.ts';
export type { ErrorCode, ErrorCodeEntry } from './error-codes.ts';
export { errorCodeNames, errorCodes, isErrorCode, outageCodes } from './error-codes.ts';
export type { ErrorDetails, ErrorObject, FreshetErrorOptions } from './errors.ts';
export {
  errorFromObject,
  FreshetError,
  isFreshetError,
  messageOf,
  toFreshetError,
} from './errors.ts';
export { check, InvariantError, unreachable } from './invariant.ts';
export type { KeyProblem } from './key.ts';
export { KeptByKey } from './kept-by-key.ts';
export { checkKey, checkPoolName, decodeKey, findKeyProblem, joinKey } from './key.ts';
export type { HeldShard, LayoutChange, LayoutReport, ShardChange } from './layout-report.ts';
export { limitRelations, limits } from './limits.ts';
export type { Logger, LoggerOptions, LogLevel } from './log.ts';
export { createLogger, logLevels, silentLogger } from './log.ts';
export { decodeMessagePack } from './message-pack.ts';
export { decodeMeta, encodeMeta } from './meta.ts';
export type {
  Meta,
  ObjectRecord,
  PutOutcome,
  PutResult,
  ShardFrontier,
  TriggerResult,
  WatchEvent,
} from './object.ts';
export type {
  NativeAddress,
  NativeDoorInfo,
  NativePool,
  NativeShard,
  NativeTicket,
} from './native-door.ts';
export type { ObjectChange, TakingPool } from './object-changes.ts';
export {
  checkBatch,
  checkedEventTime,
  checkPoint,
  checkRaw,
  checkSize,
  conditionError,
  timeoutOf,
  toChange,
  transferMs,
} from './object-changes.ts';
export type { OutcomeSink } from './outcomes.ts';
export { allOutcomes, leaveUncaught, oneResult, settleIn } from './outcomes.ts';
export type { PoolInfo, PoolKind, PoolOptions, SchemaKind, TimeAxis } from './pool.ts';
export { poolOfKey, poolsUnder } from './pool.ts';
export { packageRoot, packageVersion, runsFromSources } from './package-root.ts';
export type { Random } from './random.ts';
export { SeededRandom, splitmix64, SystemRandom } from './random.ts';
export type {
  Ack,
  CallLimits,
  Expectation,
  GetRequest,
  HistoryOptions,
  HistoryRequest,
  ListRequest,
  PutOptions,
  PutRequest,
  ReadLevel,
  ReadOptions,
  RemoveOptions,
  RemoveRequest,
  SessionStamp,
  TriggerRequest,
  WatchOptions,
  WatchRequest,
} from './request.ts';
export { checkStamp, RequestStamps } from './request-stamps.ts';
export type { Position } from './resume-token.ts';
export { decodeToken, encodeToken } from './resume-token.ts';
export type { ScannedRecord, ScanRequest, ShardRef, ShardSource } from './scan.ts';
export type { FeedEvent, ShardFeed } from './shard-feed.ts';
export { SchemaCheck } from './schema-check.ts';
export { compareText } from './text-order.ts';
export type { Epoch, Micros, NodeId, ShardId, Version } from './units.ts';
export { epoch, micros, nodeId, shardId, version } from './units.ts';
export type { MergeOptions } from './watch.ts';
export { Watch } from './watch.ts';
export type {
  LogPlace,
  MemberVerdict,
  MemberVerdictName,
  ShardVerdict,
  VerifyReport,
} from './verify.ts';
