import { type Static, Type } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FreshetError } from '../../base/mod.ts';
import type { Ack, ObjectRecord, PutResult, ReadLevel } from '../../client/mod.ts';
import type { Backend } from '../backend.ts';
import { GatheredPuts } from '../gathered-puts.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import { bytesOf } from '../parse-json.ts';
import { entityTag, expectationOf, isOther, isUnchanged, rangeOf } from './entity-tag.ts';
import { keyOfUrl } from './object-key.ts';
import type { LongTransfers } from './long-transfers.ts';
import { ReadLevelName } from './read-level.ts';
import { sessionOf } from './session-header.ts';

const route = '/v1/objects';
const triggerRoute = '/v1/triggers';
const metaPrefix = 'freshet-meta-';

const PutQuery = Type.Object(
  {
    ack: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('delivered'), Type.Literal('persisted')]),
    ),
    eventTime: Type.Optional(Type.Integer({ description: 'µs since 1970' })),
    store: Type.Optional(Type.Boolean({ description: 'false: an ordered trigger only' })),
  },
  { additionalProperties: false },
);
const GetQuery = Type.Object(
  {
    version: Type.Optional(Type.Integer({ minimum: 0 })),
    exact: Type.Optional(Type.Boolean()),
    at: Type.Optional(Type.Integer({ description: 'µs since 1970' })),
    read: Type.Optional(ReadLevelName),
  },
  { additionalProperties: false },
);
const TriggerQuery = Type.Object(
  { to: Type.Optional(Type.Union([Type.Literal('one'), Type.Literal('all')])) },
  { additionalProperties: false },
);
const Place = Type.Object({
  version: Type.Integer(),
  epoch: Type.Integer(),
  time: Type.Integer(),
  previousVersionOfKey: Type.Union([Type.Integer(), Type.Null()]),
});

type ObjectsBackend = Pick<Backend, 'door' | 'putEach'>;

/** Raw bodies under `/v1/objects/<key>`; ETags are conditions, ranges are honoured. */
export function addObjectRoutes(
  app: FastifyInstance,
  { door, putEach }: ObjectsBackend,
  transfers: LongTransfers,
): void {
  addPut(app, new GatheredPuts(putEach), transfers);
  app.delete(
    `${route}/*`,
    { schema: { summary: 'Remove an object; its history stays', response: { 200: Place } } },
    async (request, reply) => {
      const key = keyOfUrl(request.raw.url ?? '', route);
      const { headers } = request;
      const asked = { key, ...expectationOf(headers), ...sessionOf(headers) };
      return sendPlace(reply, await door.remove(asked));
    },
  );
  app.route({
    method: ['GET', 'HEAD'],
    url: `${route}/*`,
    schema: { summary: 'Read a value, now or as of a version or a moment', querystring: GetQuery },
    handler: async (request, reply) => {
      const key = keyOfUrl(request.raw.url ?? '', route);
      const { version, exact, at, read } = request.query as Static<typeof GetQuery>;
      const wanted = {
        key,
        ...(version === undefined ? {} : { version }),
        ...(exact === undefined ? {} : { exact }),
        ...(at === undefined ? {} : { at }),
        ...(read === undefined ? {} : { read: read satisfies ReadLevel }),
      };
      const isHead = request.method === 'HEAD';
      const object = isHead ? await door.stat(wanted) : await transfers.get(request, reply, wanted);
      if (object === null || object.removed) {
        throw new FreshetError('NOT_FOUND', `There is no object '${key}'`);
      }
      return sendObject(transfers, request, reply, object);
    },
  });
  app.post(
    `${triggerRoute}/*`,
    { schema: { summary: 'Hand bytes to lambdas; nothing is stored', querystring: TriggerQuery } },
    async (request) => {
      const { to = 'one' } = request.query as Static<typeof TriggerQuery>;
      const key = keyOfUrl(request.raw.url ?? '', triggerRoute);
      return door.triggerPut({ key, value: bytesOf(request.body), meta: metaOf(request), to });
    },
  );
}

function addPut(app: FastifyInstance, puts: GatheredPuts, transfers: LongTransfers): void {
  app.put(
    `${route}/*`,
    {
      bodyLimit: gatewayLimits.putBodyBytes,
      preParsing: (request, reply, payload, done) => {
        if (!transfers.isLong(request)) {
          done(null, payload);
          return;
        }
        const keyOf = (): string => keyOfUrl(request.raw.url ?? '', route);
        transfers.admit(request, reply, keyOf).then(() => {
          done(null, payload);
        }, done);
      },
      schema: { summary: 'Store a value', querystring: PutQuery, response: { 200: Place } },
    },
    async (request, reply) => {
      const { ack, eventTime, store } = request.query as Static<typeof PutQuery>;
      const result = await puts.put({
        key: keyOfUrl(request.raw.url ?? '', route),
        value: bytesOf(request.body),
        meta: metaOf(request),
        ...expectationOf(request.headers),
        ...sessionOf(request.headers),
        ...(ack === undefined ? {} : { ack: ack satisfies Ack }),
        ...(eventTime === undefined ? {} : { eventTime }),
        ...(store === undefined ? {} : { store }),
      });
      return sendPlace(reply, result);
    },
  );
}

/** The content type and every `freshet-meta-<name>` header. */
function metaOf({ headers }: FastifyRequest): Record<string, string> {
  const meta: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(metaPrefix) && typeof value === 'string') {
      meta[name.slice(metaPrefix.length)] = value;
    }
  }
  const type = headers['content-type'];
  return type === undefined ? meta : { ...meta, 'content-type': type };
}

function sendPlace(reply: FastifyReply, result: PutResult): PutResult {
  // With ack none nothing is known yet, and no tag names it.
  if (result.version > 0) void reply.header('etag', entityTag(result));
  return result;
}

function sendObject(
  transfers: LongTransfers,
  request: FastifyRequest,
  reply: FastifyReply,
  object: ObjectRecord,
): FastifyReply {
  const tag = entityTag(object);
  if (isOther(request.headers['if-match'], tag)) {
    throw new FreshetError('CONDITION_FAILED', `${object.key} is at ${tag}, not as If-Match asks`);
  }
  void reply
    .header('etag', tag)
    .header('accept-ranges', 'bytes')
    .header('last-modified', new Date(object.time / 1000).toUTCString())
    .header('freshet-version', object.version)
    .header('freshet-epoch', object.epoch)
    .header('freshet-time', object.time)
    // Bytes that a writer chose never run as a page of this origin.
    .header('content-security-policy', 'sandbox')
    .header('x-content-type-options', 'nosniff')
    .type(object.meta['content-type'] ?? 'application/octet-stream');
  if (object.eventTime !== null) void reply.header('freshet-event-time', object.eventTime);
  for (const [name, value] of Object.entries(object.meta)) {
    if (name !== 'content-type' && isHeaderSafe(name, value))
      void reply.header(metaPrefix + name, value);
  }
  if (isUnchanged(request.headers['if-none-match'], tag)) return reply.code(304).send();
  if (request.method === 'HEAD') return reply.header('content-length', object.size).send();
  return sendRange(transfers, request, reply, object.value ?? new Uint8Array(0), tag);
}

function sendRange(
  transfers: LongTransfers,
  request: FastifyRequest,
  reply: FastifyReply,
  value: Uint8Array,
  tag: string,
): FastifyReply {
  const range = rangeOf(request.headers, value.byteLength, tag);
  const body = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (range === null) return transfers.send(request, reply, body);
  if (range === 'unsatisfiable') {
    return reply
      .code(416)
      .header('content-range', `bytes */${String(value.byteLength)}`)
      .send();
  }
  const { start, end } = range;
  void reply
    .code(206)
    .header('content-range', `bytes ${String(start)}-${String(end)}/${String(value.byteLength)}`);
  return transfers.send(request, reply, body.subarray(start, end + 1));
}

function isHeaderSafe(name: string, value: string): boolean {
  return /^[\w-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value);
}
