import { check } from './invariant.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * The named maxima of the platform. Those of the data plane (rings, tables, log segments) are
 * defined in native code and read at load. The unit stands last in a name; a Count or Max counts
 * things.
 */
const table = {
  /** Longest key, the pool's name included, in UTF-8. */
  keyBytes: 1024,
  /** Longest pool name, in UTF-8. */
  poolNameBytes: 256,
  /** Deepest path, in segments. */
  keySegments: 64,
  /** Largest value when the pool says nothing. */
  valueBytesDefault: 64 * MiB,
  /** Largest value that a pool may allow. */
  valueBytesMax: 1024 * MiB,
  /** A longer one comes with no listing and no event, and goes between members in pieces. */
  valueBytesWhole: 64 * MiB,
  /** All names and values of one meta map together, in UTF-8. */
  metaBytes: 4 * KiB,
  metaEntries: 32,

  /** Versions of a key that a volatile pool keeps when it says nothing. */
  historyDefault: 128,
  historyMax: 1_000_000,
  pools: 4096,
  shardsPerSubgroup: 1024,
  /** As many as a view of the native side has. */
  members: 16,

  /** Puts in one putMany call or one batch of a stream. */
  batchPuts: 4096,
  batchBytes: 64 * MiB,
  /** Keys of one transaction; they become one log record. */
  transactionKeys: 256,
  /** Objects of one page of a list, a history or a query. */
  pageObjectsDefault: 256,
  pageObjectsMax: 4096,
  /** Nodes of one query tree. */
  queryNodes: 1024,

  /** Watches of one client. */
  watchesPerClient: 256,
  /** Events that wait for one watcher before it is told to resume from its token. */
  watchEvents: 8192,
  /** Events of a shard that are taken to a watch in one step. */
  watchStepEvents: 256,
  /** From the lowest unanswered request of a session to its newest; as many as a shard keeps. */
  sessionRequests: 1024,

  pipelineNodes: 256,
  pipelineEdges: 1024,
  /** A lambda's bundle. */
  bundleBytes: 8 * MiB,
  /** Events handed to one run of a lambda. */
  lambdaBatchEvents: 1024,
  /** Events that wait in one member's dispatcher. */
  lambdaQueueEvents: 8192,
  lambdaTimeoutMsDefault: 2000,
  lambdaTimeoutMsMax: 600_000,

  /** Pixels of one decoded image; beyond this it is a decompression bomb. */
  imagePixels: 64 * 1024 * KiB,

  requestTimeoutMsDefault: 10_000,
  requestTimeoutMsMax: 600_000,
};

export const limits: Readonly<typeof table> = Object.freeze(table);

/** One relation between two maxima that the rest of the platform relies on. */
export interface LimitRelation {
  readonly claim: string;
  readonly holds: boolean;
}

/** The relations between the maxima; checked when this module is loaded. */
export const limitRelations: readonly LimitRelation[] = Object.freeze([
  relation(
    'a pool name leaves room for a name in the key',
    limits.poolNameBytes * 2 <= limits.keyBytes,
  ),
  relation('the deepest path fits a key', limits.keySegments * 2 <= limits.keyBytes),
  relation('the default value size is allowed', limits.valueBytesDefault <= limits.valueBytesMax),
  relation('a whole value is allowed', limits.valueBytesWhole <= limits.valueBytesMax),
  relation(
    'a value of the default size goes whole',
    limits.valueBytesDefault <= limits.valueBytesWhole,
  ),
  relation('the largest whole value fits a batch', limits.valueBytesWhole <= limits.batchBytes),
  relation('every meta entry can have a name', limits.metaEntries * 2 <= limits.metaBytes),
  relation('the default history is allowed', limits.historyDefault <= limits.historyMax),
  relation('the default page is allowed', limits.pageObjectsDefault <= limits.pageObjectsMax),
  relation('a page fits a watcher', limits.pageObjectsMax <= limits.watchEvents),
  relation(
    'a step of a watch fits what waits for a watcher',
    limits.watchStepEvents <= limits.watchEvents,
  ),
  relation('a transaction fits a batch', limits.transactionKeys <= limits.batchPuts),
  relation('a lambda batch fits its queue', limits.lambdaBatchEvents <= limits.lambdaQueueEvents),
  relation(
    'the default lambda timeout is allowed',
    limits.lambdaTimeoutMsDefault <= limits.lambdaTimeoutMsMax,
  ),
  relation(
    'the default request timeout is allowed',
    limits.requestTimeoutMsDefault <= limits.requestTimeoutMsMax,
  ),
  relation('more shards than members', limits.members < limits.shardsPerSubgroup),
]);

for (const { claim, holds } of limitRelations) {
  check(holds, claim);
}

function relation(claim: string, holds: boolean): LimitRelation {
  return Object.freeze({ claim, holds });
}
