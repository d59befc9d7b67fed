/** Raw counterparts of the doors: a program of its own that only takes and answers. */
import { createServer } from 'node:net';
import { Server, type ServerDuplexStream, ServerCredentials } from '@grpc/grpc-js';
import fastify from 'fastify';
import { ObjectsService, type PutBatch, type PutReplyBatch } from '../../../platform/wire/mod.ts';
import { answerParent } from '../child.ts';
import type { EchoOrder } from './orders.ts';

const host = '127.0.0.1';
const bodyBytesMax = 2 * 1024 * 1024;

answerParent(async (message) => {
  const { open } = message as EchoOrder;
  if (open === 'tcp-sink') return openSink();
  return open === 'http' ? openHttp() : openGrpc();
});

async function openSink(): Promise<number> {
  const server = createServer((socket) => {
    socket.on('data', () => undefined).on('end', () => socket.end());
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, host, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** The same framework as the real door, one route, the body read whole. */
async function openHttp(): Promise<number> {
  const app = fastify({ bodyLimit: bodyBytesMax });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  app.put('/*', (request) => ({ size: (request.body as Buffer).byteLength }));
  const address = await app.listen({ port: 0, host });
  return Number(new URL(address).port);
}

/** The same service definition, every put answered at once with a made-up version. */
async function openGrpc(): Promise<number> {
  const server = new Server();
  const none = (): void => undefined;
  const names = Object.keys(ObjectsService);
  const handlers = Object.fromEntries(names.map((name) => [name, none]));
  server.addService(ObjectsService, {
    ...handlers,
    putStream: (call: ServerDuplexStream<PutBatch, PutReplyBatch>) => {
      call.on('data', ({ firstSequence, puts }: PutBatch) => {
        const outcomes = puts.map((_, nth) => ({
          sequence: firstSequence + nth,
          result: { $case: 'reply' as const, value: { version: nth, epoch: 1, time: 1 } },
        }));
        call.write({ outcomes });
      });
      call.on('end', () => {
        call.end();
      });
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:0`, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}
