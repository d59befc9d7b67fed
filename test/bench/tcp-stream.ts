/** What one TCP stream over loopback carries: Node on both sides, batches in one write. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Companion } from './child.ts';
import type { EchoOrder } from './echo/orders.ts';

const startTimeoutMs = 20_000;

/** Messages of `size` bytes a second, `batch` of them a write, from here to another process. */
export async function tcpMessagesPerSecond(
  size: number,
  batch: number,
  durationMs: number,
): Promise<number> {
  const sink = new Companion('./echo/main', import.meta.url);
  try {
    const port = (await sink.ask(
      { open: 'tcp-sink' } satisfies EchoOrder,
      startTimeoutMs,
    )) as number;
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    await once(socket, 'connect');
    const block = Buffer.alloc(size * batch, 1);
    const begin = performance.now();
    let written = 0;
    while (performance.now() - begin < durationMs) {
      written += batch;
      if (!socket.write(block)) await once(socket, 'drain');
    }
    socket.end();
    // The sink closes its side once it has read everything.
    socket.resume();
    await once(socket, 'close');
    return written / ((performance.now() - begin) / 1000);
  } finally {
    await sink.close();
  }
}
