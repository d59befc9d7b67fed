import { Readable } from 'node:stream';
import { type Static, Type } from 'typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { checkKey, decodeToken, toFreshetError } from '../../base/mod.ts';
import type { Door, ObjectRecord, WatchEvent } from '../../client/mod.ts';
import { bytesOf, parsePlanJson } from '../parse-json.ts';
import { keyOfUrl } from './object-key.ts';
import { ReadLevelName } from './read-level.ts';

const Strict = { additionalProperties: false } as const;
const KeysQuery = Type.Object(
  {
    prefix: Type.String(),
    after: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    at: Type.Optional(Type.Integer()),
    read: Type.Optional(ReadLevelName),
  },
  Strict,
);
const HistoryQuery = Type.Object(
  {
    reverse: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    from: Type.Optional(Type.Integer({ minimum: 0 })),
    to: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  Strict,
);
const WatchQuery = Type.Object(
  {
    prefix: Type.String(),
    from: Type.Optional(Type.String({ description: 'token of the last event seen' })),
    values: Type.Optional(Type.Boolean({ description: 'false: without the values' })),
  },
  Strict,
);

/** Keys, histories, watches (Server-Sent Events) and queries (JSON lines). */
export function addListingRoutes(app: FastifyInstance, door: Door): void {
  app.get(
    '/v1/keys',
    { schema: { summary: 'Keys under a prefix', querystring: KeysQuery } },
    (request, reply) => {
      const { prefix, after, limit, at, read } = request.query as Static<typeof KeysQuery>;
      return sendLines(reply, (signal) =>
        door.list({
          prefix,
          signal,
          ...(after === undefined ? {} : { after }),
          ...(limit === undefined ? {} : { limit }),
          ...(at === undefined ? {} : { at }),
          ...(read === undefined ? {} : { read }),
        }),
      );
    },
  );
  app.get(
    '/v1/history/*',
    { schema: { summary: 'Versions of an object', querystring: HistoryQuery } },
    (request, reply) => {
      const { reverse, limit, from, to } = request.query as Static<typeof HistoryQuery>;
      const key = keyOfUrl(request.raw.url ?? '', '/v1/history');
      return sendLines(reply, (signal) =>
        mapped(
          door.history({
            key,
            signal,
            ...(reverse === undefined ? {} : { reverse }),
            ...(limit === undefined ? {} : { limit }),
            ...(from === undefined ? {} : { fromVersion: from }),
            ...(to === undefined ? {} : { toVersion: to }),
          }),
          (object) => objectJson(object, true),
        ),
      );
    },
  );
  app.get(
    '/v1/watch',
    { schema: { summary: 'Changes as Server-Sent Events', querystring: WatchQuery } },
    async (request, reply) => {
      const { prefix, from, values = true } = request.query as Static<typeof WatchQuery>;
      const signal = abortedWith(reply);
      await checkWatched(door, prefix);
      const resumed = request.headers['last-event-id'];
      const start = typeof resumed === 'string' && resumed !== '' ? resumed : from;
      // Refused with a status too, else a reader would come back with it again and again.
      if (start !== undefined && start !== 'start') decodeToken(start);
      const events = door.watch({
        prefix,
        signal,
        ...(start === undefined ? {} : { from: start }),
      });
      return reply
        .header('cache-control', 'no-store')
        .type('text/event-stream')
        .send(Readable.from(serverSentEvents(events, values)));
    },
  );
  app.post(
    '/v1/query',
    { schema: { summary: 'Rows of a query plan, as JSON lines' } },
    (request, reply) => {
      const plan = parsePlanJson(bytesOf(request.body));
      return sendLines(reply, (signal) => door.query(plan, signal));
    },
  );
}

/**
 * A watch of nothing is refused with a status; once the stream has begun it could only be an event.
 * Asking for the frontier makes the member look for a pool that was created a moment ago.
 */
async function checkWatched(door: Door, prefix: string): Promise<void> {
  checkKey(prefix.length > 1 ? prefix.replace(/\/$/, '') : prefix);
  const isKnown = async () =>
    (await door.pools()).some(({ name }) => name.startsWith(prefix) || prefix.startsWith(name));
  if (await isKnown()) return;
  const refusal = await door.frontier(prefix).then(
    () => null,
    (error: unknown) => toFreshetError(error),
  );
  if (refusal !== null && !(await isKnown())) throw refusal;
}

/**
 * JSON lines as they come. The first is waited for, so that a refusal has its status; a failure
 * after that is a last line `{"error": …}`.
 */
async function sendLines(
  reply: FastifyReply,
  open: (signal: AbortSignal) => AsyncIterable<unknown>,
): Promise<FastifyReply> {
  const iterator = open(abortedWith(reply))[Symbol.asyncIterator]();
  const first = await iterator.next();
  return reply.type('application/x-ndjson').send(Readable.from(lines(first, iterator)));
}

async function* lines(first: IteratorResult<unknown>, iterator: AsyncIterator<unknown>) {
  try {
    for (let next = first; next.done !== true; next = await iterator.next()) {
      yield `${JSON.stringify(next.value)}\n`;
    }
  } catch (error) {
    yield `${JSON.stringify({ error: toFreshetError(error) })}\n`;
  } finally {
    await iterator.return?.();
  }
}

async function* serverSentEvents(events: AsyncIterable<WatchEvent>, values: boolean) {
  yield ': open\n\n';
  try {
    for await (const { kind, object, token } of events) {
      yield `event: ${kind}\nid: ${token}\ndata: ${JSON.stringify(objectJson(object, values))}\n\n`;
    }
  } catch (error) {
    yield `event: error\ndata: ${JSON.stringify(toFreshetError(error))}\n\n`;
  }
}

async function* mapped<T, U>(source: AsyncIterable<T>, to: (item: T) => U): AsyncGenerator<U> {
  for await (const item of source) yield to(item);
}

/** JSON values as they are, other bytes in base64. */
function objectJson({ value, ...rest }: ObjectRecord, values: boolean): unknown {
  if (value === null || !values) return rest;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if ((rest.meta['content-type'] ?? '').startsWith('application/json')) {
    try {
      return { ...rest, value: JSON.parse(bytes.toString()) as unknown };
    } catch {
      // What says that it is JSON and is not goes as the bytes that it is.
    }
  }
  return { ...rest, valueBase64: bytes.toString('base64') };
}

/**
 * Aborts when the answer is sent or nobody is there any more; a request ends with its body. To be
 * made before anything is awaited: who goes away meanwhile is not heard of later.
 */
function abortedWith(reply: FastifyReply): AbortSignal {
  const abort = new AbortController();
  reply.raw.once('close', () => {
    abort.abort();
  });
  return abort.signal;
}
