import {
  errorCodes,
  type FastifyInstance,
  type FastifyRequest,
  type RequestPayload,
} from 'fastify';
import { FreshetError, limits } from '../../base/mod.ts';

type Done = (error: Error | null, body?: Buffer) => void;

/**
 * Every body is bytes; what they mean is the key's matter. One whose length is said is received
 * where it will be taken from. `came`: told of each part of such a one.
 */
export function acceptRawBodies(
  app: FastifyInstance,
  came: (request: FastifyRequest, bytes: number) => void,
): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, payload, done) => {
    const size = declaredSize(request);
    const most = request.routeOptions.bodyLimit;
    if ((size ?? 0) > most) done(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
    else if (size === null) gather(payload, Math.min(most, limits.valueBytesWhole), done);
    else {
      payload.on('data', (chunk: Buffer) => {
        came(request, chunk.byteLength);
      });
      fill(payload, size, done);
    }
  });
}

/** null: the client does not say. */
export function declaredSize({ headers }: FastifyRequest): number | null {
  const length = headers['content-length'];
  return length === undefined ? null : Number(length);
}

/** Node gives no more than was declared. */
function fill(payload: RequestPayload, size: number, done: Done): void {
  let body: Buffer | null = null;
  let filled = 0;
  payload.on('data', (chunk: Buffer) => {
    if (body === null && chunk.byteLength === size) body = chunk;
    else (body ??= Buffer.allocUnsafeSlow(size)).set(chunk, filled);
    filled += chunk.byteLength;
  });
  payload.on('end', () => {
    done(null, body ?? Buffer.alloc(0));
  });
  payload.on('error', done);
}

function gather(payload: RequestPayload, most: number, done: Done): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const take = (chunk: Buffer): void => {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes <= most) return;
    payload.off('data', take);
    payload.off('end', end);
    payload.resume();
    const text = `A body without a Content-Length has over ${String(most)} bytes`;
    done(new FreshetError('VALUE_TOO_LARGE', text, { mend: 'Say how long it is' }));
  };
  const end = (): void => {
    done(null, Buffer.concat(chunks, bytes));
  };
  payload.on('data', take);
  payload.on('end', end);
  payload.on('error', done);
}
