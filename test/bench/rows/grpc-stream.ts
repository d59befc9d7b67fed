import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import {
  Ack,
  ObjectsClient,
  type PutBatch,
  type PutReplyBatch,
} from '../../../platform/wire/mod.ts';
import { startBenchCluster } from '../bench-cluster.ts';
import { Companion } from '../child.ts';
import type { EchoOrder } from '../echo/orders.ts';
import type { Row } from '../row.ts';

const frameCount = 100;
const framesInFlight = 20;
const durationMs = { full: 3000, quick: 500 };
const answerTimeoutMs = 20_000;

/** The batched stream of the gRPC door, from one client to one member. */
export const grpcStream: Row = {
  name: 'grpc-stream',
  method:
    `Volatile puts of 100 B over one gRPC stream, ${String(frameCount)} a frame, ` +
    `${String(framesInFlight)} frames unanswered; beside it the same client and service with a ` +
    'server that answers at once.',
  open: async (context) => {
    const { db, ports, close } = await startBenchCluster(context.folder);
    await db.createPool({ name: '/bench', kind: 'volatile', schema: 'raw' });
    const echo = new Companion('../echo/main', import.meta.url);
    const echoPort = await echo.ask({ open: 'grpc' } satisfies EchoOrder, answerTimeoutMs);
    const ms = context.quick ? durationMs.quick : durationMs.full;
    return {
      close: async () => {
        await echo.close();
        await close();
      },
      run: async () => {
        const value = await putsPerSecond(Number(ports[0]?.grpc), ms);
        const bare = await putsPerSecond(Number(echoPort), ms);
        const raw = { name: 'the same, answered at once', value: bare };
        return [{ name: 'grpc-stream', unit: 'puts/s', value, raw }];
      },
    };
  },
};

async function putsPerSecond(port: number, ms: number): Promise<number> {
  const client = new ObjectsClient(`127.0.0.1:${String(port)}`, credentials.createInsecure());
  try {
    return await pump(client.putStream(), ms);
  } finally {
    client.close();
  }
}

function pump(stream: ClientDuplexStream<PutBatch, PutReplyBatch>, ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const timer = setTimeout(() => {
      stream.cancel();
      reject(new Error('The gRPC stream was not answered in time'));
    }, ms + answerTimeoutMs);
    let [sent, answered] = [0, 0];
    const send = (): void => {
      stream.write(frameOf(sent));
      sent += frameCount;
    };
    stream.on('data', ({ outcomes }: PutReplyBatch) => {
      const failed = outcomes.find(({ result }) => result?.$case !== 'reply');
      if (failed?.result?.$case === 'error') {
        clearTimeout(timer);
        stream.cancel();
        reject(new Error(`${failed.result.value.code}: ${failed.result.value.message}`));
        return;
      }
      answered += outcomes.length;
      const isOver = performance.now() - begin >= ms;
      while (!isOver && sent - answered <= (framesInFlight - 1) * frameCount) send();
      if (isOver && answered === sent) {
        clearTimeout(timer);
        stream.end();
        resolve(answered / ((performance.now() - begin) / 1000));
      }
    });
    stream.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    for (let nth = 0; nth < framesInFlight; nth++) send();
  });
}

function frameOf(firstSequence: number): PutBatch {
  const puts = Array.from({ length: frameCount }, (_, nth) => ({
    key: `/bench/${String((firstSequence + nth) % 1000)}`,
    value: sampleValue,
    ack: Ack.ACK_UNSPECIFIED,
    expect: undefined,
    meta: {},
    triggerOnly: false,
    timeoutMs: 10_000,
  }));
  return { firstSequence, puts };
}

const sampleValue = Buffer.alloc(100, 1);
