/**
 * Every operating failure that Freshet reports has one of these codes. The table says what a code
 * means, whether the same call may succeed when tried again unchanged, and what to do about it when
 * the place that raises it knows nothing better. HTTP and gRPC statuses live in the gateway alone.
 */

export interface ErrorCodeEntry {
  /** True when the same call, unchanged, may succeed later or at another member. */
  readonly retryable: boolean;
  /** What happened, one sentence without a full stop. */
  readonly summary: string;
  /** What the caller can do, an imperative sentence without a full stop. */
  readonly mend: string;
}

const entry = (retryable: boolean, summary: string, mend: string): ErrorCodeEntry =>
  Object.freeze({ retryable, summary, mend });
const final = (summary: string, mend: string): ErrorCodeEntry => entry(false, summary, mend);
const again = (summary: string, mend: string): ErrorCodeEntry => entry(true, summary, mend);

export const errorCodes = Object.freeze({
  // What was asked for
  UNKNOWN_POOL: final('no pool has this name', 'Create the pool, or correct its name'),
  POOL_EXISTS: final('a pool of this name exists with other options', 'Choose another name'),
  INVALID_POOL: final('the options of the pool are not possible', 'Correct the named option'),
  INVALID_KEY: final('the key is not a well-formed path', 'Correct the key at the named place'),
  KEY_TOO_LONG: final('the key is longer than the limit', 'Shorten the key'),
  VALUE_TOO_LARGE: final(
    'the value is larger than the pool allows',
    'Split the value, or raise maxValueBytes of the pool',
  ),
  META_TOO_LARGE: final('the meta map is larger than the limit', 'Put less into meta'),
  INVALID_VALUE: final('the value does not match the schema of the pool', 'Correct the value'),
  INVALID_ARGUMENT: final('an argument is not acceptable', 'Correct the named argument'),
  CONDITION_FAILED: final(
    'the object is not as the condition expects',
    'Read it again and decide anew',
  ),
  NOT_FOUND: final('there is no such object', 'Check the key, the version and the time'),
  COMPACTED: final(
    'this part of the history is no longer kept',
    'Start from the oldest version that is kept',
  ),
  INVALID_QUERY: final('the query cannot be run', 'Correct the named part, or say .local()'),
  UNSUPPORTED: final('this is not supported here', 'Use what the message names instead'),

  // Load and time
  OVERLOADED: again('a bounded queue is full', 'Send less, or try again after a pause'),
  TIMEOUT: again(
    'no answer came within the deadline; the effect is unknown',
    'Try again with the same request identity, or allow more time',
  ),
  CANCELLED: final('the caller gave up', 'Nothing; call again if the answer is wanted'),

  // Members and shards
  SHARD_STOPPED: again('the shard has too few members to go on', 'Start the missing members again'),
  NOT_CURRENT: again('this member cannot show that it is current', 'Ask another member'),
  NOT_A_MEMBER: again('this member does not hold the shard', 'Ask a member that holds it'),
  UNREACHABLE: again('the other side cannot be reached', 'Check the address and that it runs'),
  CLOSED: final('this was used after it was closed', 'Open it again'),
  WRONG_CLUSTER: final(
    'the other side belongs to another cluster',
    'Check the cluster name and the addresses',
  ),

  WRONG_TRANSPORT: final(
    'the other side has another transport',
    'Give all members of the cluster the same cluster.transport',
  ),
  NO_FABRIC: final(
    'libfabric, or this provider of it, is not here',
    'Install libfabric1 and what `freshet doctor` names, or set cluster.transport to tcp',
  ),
  UNORDERED_FABRIC: final(
    'this provider of libfabric does not keep writes in their order',
    'Use another provider: cluster.transport',
  ),
  MEMLOCK_TOO_LOW: final(
    'too little memory may be locked in place for the network card',
    'Raise the limit (ulimit -l, LimitMEMLOCK of the service)',
  ),

  // Disks and data
  DISK_FULL: again('the disk is nearly full and writes are refused', 'Free or add disk space'),
  DISK_FAILED: final(
    'a write of the log failed and its outcome is unknown',
    'Check the disk; a running member comes back by itself once it can be written again',
  ),
  LOG_CORRUPT: final(
    'a log is damaged below what was synced',
    "Move the shard's folder away and start again: the other members fill it",
  ),
  HISTORY_DIFFERS: final(
    'members applied different histories of a shard, and this one is in the minority',
    "Stop this member, move the shard's folder away and start it: the other members fill it",
  ),
  NEWER_FORMAT: final('the data was written by a newer Freshet', 'Run the newer Freshet'),
  DATA_IN_USE: final(
    'another process uses this data folder',
    'Stop the other process, or choose another folder',
  ),
  DATA_UNWRITABLE: final('the data folder cannot be written', 'Allow writing, or choose another'),

  // Configuration and code of the user
  INVALID_CONFIG: final('the configuration is not acceptable', 'Correct the named settings'),
  ADDRESS_IN_USE: final('the address is taken', 'Choose another port'),
  INVALID_PIPELINE: final('the pipeline is not acceptable', 'Correct the named node or edge'),
  LAMBDA_FAILED: final(
    'the lambda threw an error',
    'Mend the lambda, deploy it again, and put the input again',
  ),
  LAMBDA_TIMEOUT: final(
    'the lambda did not finish in time and was ended',
    'Make it faster, or raise its timeoutMs',
  ),
  UNDECLARED_EDGE: final(
    'the lambda emitted to an output without an edge',
    'Declare the edge in the pipeline',
  ),
  CALL_FAILED: final(
    'a method of a replicated object threw an error',
    'Mend the method at all members, or call it with other arguments',
  ),
  MODEL_INVALID: final('the model cannot be used', 'Give an ONNX model of the expected shape'),
  IMAGE_INVALID: final('the image cannot be decoded', 'Send a whole image of a supported format'),

  // Rights
  UNAUTHENTICATED: final('the caller is not known', 'Give a valid token or certificate'),
  FORBIDDEN: final('the caller lacks the right', 'Ask for the named right on the prefix'),
  SESSION_EXPIRED: final(
    'the session that would make this retry safe is gone',
    'Open a new session and read before writing again',
  ),

  // Ourselves
  NATIVE_MISSING: final(
    'the native part is not built for this platform',
    'Run npm run build on Linux x64 or arm64',
  ),
  INTERNAL: final(
    'a fault of Freshet itself came up',
    'Report this with the message and its details',
  ),
} satisfies Record<string, ErrorCodeEntry>);

export type ErrorCode = keyof typeof errorCodes;

/** All codes, in the order of the table. */
export const errorCodeNames: readonly ErrorCode[] = Object.freeze(
  Object.keys(errorCodes) as ErrorCode[],
);

export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(errorCodes, text);
}

/**
 * The shard changes hands, or the member that was asked is lost or not ready: a moment later, or by
 * another member, the same call may be answered.
 */
export const outageCodes: ReadonlySet<ErrorCode> = new Set([
  'SHARD_STOPPED',
  'NOT_A_MEMBER',
  'NOT_CURRENT',
  'UNREACHABLE',
]);
