import {
  type Ack,
  errorFromObject,
  type Expectation,
  FreshetError,
  type GetRequest,
  type HistoryRequest,
  type ListRequest,
  type ObjectRecord,
  type PoolInfo,
  type PoolKind,
  type PoolOptions,
  type PutOutcome,
  type PutRequest,
  type PutResult,
  type ReadLevel,
  type RemoveRequest,
  type SchemaKind,
  type SessionStamp,
  type TimeAxis,
  type TriggerRequest,
  type WatchEvent,
} from '../../base/mod.ts';
import {
  Ack as WireAck,
  type PutReply,
  ReadLevel as WireReadLevel,
  WatchEvent_Kind,
  type WireExpectation,
  type WireGetRequest,
  type WireHistoryRequest,
  type WireListRequest,
  type WireObject,
  type WirePoolInfo,
  type WirePoolOptions,
  type WirePutOutcome,
  type WirePutRequest,
  type WireRemoveRequest,
  type WireSession,
  type WireTriggerRequest,
  type WireView,
  type WireWatchEvent,
} from '../../wire/mod.ts';
import type { ViewInfo } from '../door.ts';
import { enumNumber, limitNumber, timeoutNumber, timeNumber, versionNumber } from '../numbers.ts';

/**
 * Between the door's types and the wire's, both ways. Pairs `xToWire` and `xFromWire`; what the wire
 * cannot say is refused before it is sent, as INVALID_ARGUMENT: a frame that cannot be written ends
 * its stream, and everybody's calls with it. What comes from the wire is complete, and unknown enum
 * numbers are refused as INVALID_ARGUMENT.
 */

const acks = {
  none: WireAck.ACK_NONE,
  delivered: WireAck.ACK_DELIVERED,
  persisted: WireAck.ACK_PERSISTED,
} as const;

const readLevels = {
  local: WireReadLevel.READ_LEVEL_LOCAL,
  stable: WireReadLevel.READ_LEVEL_STABLE,
  linearizable: WireReadLevel.READ_LEVEL_LINEARIZABLE,
} as const;

const eventKinds = {
  put: WatchEvent_Kind.KIND_PUT,
  remove: WatchEvent_Kind.KIND_REMOVE,
  trigger: WatchEvent_Kind.KIND_TRIGGER,
} as const;

export function putToWire(request: PutRequest): WirePutRequest {
  return {
    key: request.key,
    value: asBuffer(request.value),
    triggerOnly: request.store === false,
    meta: { ...request.meta },
    ...changeToWire(request),
  };
}

export function putFromWire(wire: WirePutRequest): PutRequest {
  return {
    key: wire.key,
    value: wire.value,
    meta: wire.meta,
    store: !wire.triggerOnly,
    ...changeFromWire(wire),
  };
}

export function removeToWire(request: RemoveRequest): WireRemoveRequest {
  return { key: request.key, ...changeToWire(request) };
}

export function removeFromWire(wire: WireRemoveRequest): RemoveRequest {
  return { key: wire.key, ...changeFromWire(wire) };
}

export function putResultToWire(result: PutResult): PutReply {
  const { version, epoch, time, previousVersionOfKey } = result;
  return { version, epoch, time, previousVersionOfKey: previousVersionOfKey ?? undefined };
}

export function putResultFromWire(wire: PutReply): PutResult {
  const { version, epoch, time } = wire;
  return { version, epoch, time, previousVersionOfKey: wire.previousVersionOfKey ?? null };
}

export function outcomeToWire(sequence: number, result: PutOutcome): WirePutOutcome {
  if (!(result instanceof FreshetError)) {
    return { sequence, result: { $case: 'reply', value: putResultToWire(result) } };
  }
  const { code, message, mend, retryable } = result;
  return { sequence, result: { $case: 'error', value: { code, message, mend, retryable } } };
}

export function outcomeFromWire({ result }: WirePutOutcome): PutOutcome {
  if (result?.$case === 'reply') return putResultFromWire(result.value);
  return errorFromObject(result?.value ?? null);
}

export function getToWire(request: GetRequest): WireGetRequest {
  const { key, version, at } = request;
  return {
    key,
    read: readToWire(request.read),
    version: versionNumber(version, 'version'),
    exact: request.exact ?? false,
    at: timeNumber(at, 'at'),
    timeoutMs: timeoutNumber(request.timeoutMs),
    maxBytes: versionNumber(request.maxBytes, 'maxBytes'),
  };
}

export function getFromWire(wire: WireGetRequest): GetRequest {
  return {
    key: wire.key,
    ...readFromWire(wire.read),
    ...(wire.version === undefined ? {} : { version: wire.version }),
    ...(wire.exact ? { exact: true } : {}),
    ...(wire.at === undefined ? {} : { at: wire.at }),
    ...(wire.maxBytes === undefined ? {} : { maxBytes: wire.maxBytes }),
    ...timeoutFromWire(wire.timeoutMs),
  };
}

export function listToWire({ prefix, after, limit, at, read }: ListRequest): WireListRequest {
  return {
    prefix,
    after: after ?? '',
    limit: limitNumber(limit),
    at: timeNumber(at, 'at'),
    read: readToWire(read),
  };
}

export function historyToWire(request: HistoryRequest): WireHistoryRequest {
  const { key, reverse, limit, fromVersion, toVersion } = request;
  return {
    key,
    reverse: reverse ?? false,
    limit: limitNumber(limit),
    fromVersion: versionNumber(fromVersion, 'fromVersion'),
    toVersion: versionNumber(toVersion, 'toVersion'),
  };
}

export function listFromWire({ prefix, after, limit, at, read }: WireListRequest): ListRequest {
  return {
    prefix,
    ...(after === '' ? {} : { after }),
    ...(limit === 0 ? {} : { limit }),
    ...(at === undefined ? {} : { at }),
    ...readFromWire(read),
  };
}

function readToWire(read: ReadLevel | undefined): WireReadLevel {
  return enumNumber(readLevels, read, 'read') ?? WireReadLevel.READ_LEVEL_UNSPECIFIED;
}

function readFromWire(wire: WireReadLevel): { read?: ReadLevel } {
  const read = nameOf<ReadLevel>(readLevels, wire, 'read level');
  return read === null ? {} : { read };
}

export function objectToWire(object: ObjectRecord): WireObject {
  const { key, value, removed, size, version, epoch, time, eventTime, meta } = object;
  return {
    key,
    value: value === null ? undefined : asBuffer(value),
    removed,
    size,
    version,
    epoch,
    time,
    eventTime: eventTime ?? undefined,
    previousVersionOfKey: object.previousVersionOfKey ?? undefined,
    meta: { ...meta },
  };
}

export function objectFromWire(wire: WireObject): ObjectRecord {
  const { key, removed, size, version, epoch, time, meta } = wire;
  return {
    key,
    value: wire.value ?? null,
    removed,
    size,
    version,
    epoch,
    time,
    eventTime: wire.eventTime ?? null,
    previousVersionOfKey: wire.previousVersionOfKey ?? null,
    meta,
  };
}

export function triggerToWire(request: TriggerRequest): WireTriggerRequest {
  const { key, value, to = 'one', meta, eventTime, timeoutMs } = request;
  return {
    key,
    value: asBuffer(value),
    toAll: to === 'all',
    toMembers: typeof to === 'string' ? [] : to.map((id) => versionNumber(id, 'to')),
    meta: { ...meta },
    eventTime: timeNumber(eventTime, 'eventTime'),
    timeoutMs: timeoutNumber(timeoutMs),
  };
}

export function triggerFromWire(wire: WireTriggerRequest): TriggerRequest {
  const { key, value, toAll, toMembers, meta, eventTime, timeoutMs } = wire;
  return {
    key,
    value,
    meta,
    to: toAll ? 'all' : toMembers.length > 0 ? toMembers : 'one',
    ...(eventTime === undefined ? {} : { eventTime }),
    ...timeoutFromWire(timeoutMs),
  };
}

export function watchEventToWire({ kind, object, token }: WatchEvent): WireWatchEvent {
  return { kind: eventKinds[kind], object: objectToWire(object), token };
}

export function watchEventFromWire(wire: WireWatchEvent): WatchEvent {
  const kind = nameOf<WatchEvent['kind']>(eventKinds, wire.kind, 'kind of event');
  if (kind === null || wire.object === undefined) {
    throw new FreshetError('INVALID_ARGUMENT', 'A watch event came without its kind or its object');
  }
  return { kind, object: objectFromWire(wire.object), token: wire.token };
}

export function poolOptionsToWire(options: PoolOptions): WirePoolOptions {
  const { name, kind, timeAxis, schema, subgroup } = options;
  const history = versionNumber(options.history, 'history', 'INVALID_POOL');
  const maxValueBytes = versionNumber(options.maxValueBytes, 'maxValueBytes', 'INVALID_POOL');
  return { name, kind, history, maxValueBytes, timeAxis, schema, subgroup };
}

/** The names are checked where pools are made; here they are only carried. */
export function poolOptionsFromWire(wire: WirePoolOptions): PoolOptions {
  const { name, kind, history, maxValueBytes, timeAxis, schema, subgroup } = wire;
  return {
    name,
    kind: kind as PoolKind,
    ...(history === undefined ? {} : { history }),
    ...(maxValueBytes === undefined ? {} : { maxValueBytes }),
    ...(timeAxis === undefined ? {} : { timeAxis: timeAxis as TimeAxis }),
    ...(schema === undefined ? {} : { schema: schema as SchemaKind }),
    ...(subgroup === undefined ? {} : { subgroup }),
  };
}

export function poolInfoToWire(info: PoolInfo): WirePoolInfo {
  return { options: poolOptionsToWire(info), id: info.id, shards: [...info.shards] };
}

export function poolInfoFromWire(wire: WirePoolInfo): PoolInfo {
  if (wire.options === undefined) {
    throw new FreshetError('INVALID_ARGUMENT', 'A pool came without its options');
  }
  const options = poolOptionsFromWire(wire.options) as Required<PoolOptions>;
  return { ...options, id: wire.id, shards: wire.shards };
}

export function viewToWire({ view, me, members, waitingFor }: ViewInfo): WireView {
  return {
    view,
    me,
    members: members.map(({ nodeId, host, ports, up }) => ({
      nodeId,
      host,
      ports: { ...ports },
      up,
    })),
    waitingFor: waitingFor ?? '',
  };
}

export function viewFromWire({ view, me, members, waitingFor }: WireView): ViewInfo {
  return { view, me, members, waitingFor: waitingFor === '' ? null : waitingFor };
}

type ChangeOptions = Pick<PutRequest, 'ack' | 'expect' | 'eventTime' | 'timeoutMs' | 'session'>;
type WireChange = Pick<WirePutRequest, 'ack' | 'expect' | 'timeoutMs' | 'session'> & {
  eventTime?: number | undefined;
};

function changeToWire({ ack, expect, eventTime, timeoutMs, session }: ChangeOptions): WireChange {
  return {
    ack: enumNumber(acks, ack, 'ack') ?? WireAck.ACK_UNSPECIFIED,
    expect: expect === undefined ? undefined : expectationToWire(expect),
    eventTime: timeNumber(eventTime, 'eventTime'),
    timeoutMs: timeoutNumber(timeoutMs),
    session: session === undefined ? undefined : sessionToWire(session),
  };
}

function sessionToWire({ session, request, lowestUnanswered }: SessionStamp): WireSession {
  return {
    id: versionNumber(session, 'session.session'),
    request: versionNumber(request, 'session.request'),
    lowestUnanswered: versionNumber(lowestUnanswered, 'session.lowestUnanswered'),
  };
}

function sessionFromWire({ id, request, lowestUnanswered }: WireSession): SessionStamp {
  return { session: id, request, lowestUnanswered };
}

function expectationToWire({ version, versionOfKey, epoch }: Expectation): WireExpectation {
  return {
    version: versionNumber(version, 'expect.version'),
    versionOfKey: versionNumber(versionOfKey, 'expect.versionOfKey'),
    epoch: versionNumber(epoch, 'expect.epoch'),
  };
}

function changeFromWire(wire: WireChange): ChangeOptions {
  const ack = nameOf<Ack>(acks, wire.ack, 'acknowledgement');
  return {
    ...(ack === null ? {} : { ack }),
    ...(wire.expect === undefined ? {} : { expect: expectationFromWire(wire.expect) }),
    ...(wire.eventTime === undefined ? {} : { eventTime: wire.eventTime }),
    ...(wire.session === undefined ? {} : { session: sessionFromWire(wire.session) }),
    ...timeoutFromWire(wire.timeoutMs),
  };
}

function expectationFromWire({ version, versionOfKey, epoch }: WireExpectation): Expectation {
  return {
    ...(version === undefined ? {} : { version }),
    ...(versionOfKey === undefined ? {} : { versionOfKey }),
    ...(epoch === undefined ? {} : { epoch }),
  };
}

function timeoutFromWire(timeoutMs: number): { timeoutMs?: number } {
  return timeoutMs === 0 ? {} : { timeoutMs };
}

/** null: unspecified. */
function nameOf<N extends string>(
  names: Readonly<Record<N, number>>,
  value: number,
  what: string,
): N | null {
  if (value === 0) return null;
  for (const [name, number] of Object.entries(names)) {
    if (number === value) return name as N;
  }
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `There is no ${what} with the number ${String(value)}`,
  );
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
