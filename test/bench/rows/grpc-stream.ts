import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import {
  Ack,
  ObjectsClient,
  type PutBatch,
  type PutReplyBatch,
} from '../../../platform/wire/mod.ts';
import { answerTimeoutMs, doorRow } from '../door-row.ts';

const frameCount = 100;
const framesInFlight = 20;

/** The batched stream of the gRPC door, from one client to one member. */
export const grpcStream = doorRow({
  name: 'grpc-stream',
  method:
    `Volatile puts of 100 B over one gRPC stream, ${String(frameCount)} a frame, ` +
    `${String(framesInFlight)} frames unanswered; beside it the same client and service with a ` +
    'server that answers at once.',
  door: 'grpc',
  echo: 'the same, answered at once',
  putsPerSecond,
});

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
    session: undefined,
  }));
  return { firstSequence, puts };
}

const sampleValue = Buffer.alloc(100, 1);
