import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FreshetError } from '../../platform/base/mod.ts';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { bytes, text } from '../support/cluster.ts';
import { type DoorsRig, startDoors } from './doors-rig.ts';

let rig: DoorsRig;

beforeAll(async () => {
  rig = await startDoors('reconnect', 1);
  await rig.cluster.door.createPool({ name: '/barn/notes', kind: 'volatile' });
});

afterAll(async () => rig.close());

/** A way to the member that can be cut and held back. */
class Wire {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #isHeld = false;

  constructor(target: number) {
    this.#server = net.createServer((near) => {
      const far = net.connect({ host: '127.0.0.1', port: target });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (chunk) => {
          if (!this.#isHeld) to.write(chunk);
        });
        from.on('error', () => undefined);
        from.on('close', () => {
          to.destroy();
        });
      }
    });
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Swallows all that is sent from now on. */
  hold(): void {
    this.#isHeld = true;
  }

  cut(): void {
    this.#isHeld = false;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

test('puts in flight fail with a code that says try again, later ones work', async () => {
  const wire = new Wire(rig.grpcPort);
  const door = new GrpcDoor(`127.0.0.1:${String(await wire.open())}`, {
    token: null,
    timeoutMs: 20_000,
  });
  await door.put({ key: '/barn/notes/before', value: bytes('x') });
  wire.hold();
  const puts = Array.from({ length: 6000 }, (_, nth) => ({
    key: `/barn/notes/lost/${String(nth)}`,
    value: bytes('x'),
  }));
  const lost = door.putMany(puts);
  // One turn, so that the first frames are on their way.
  await new Promise((resolve) => setImmediate(resolve));
  wire.cut();
  const results = await lost;
  const failures = results.filter((result) => result instanceof FreshetError);
  expect(failures).toHaveLength(6000);
  expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['UNREACHABLE']));
  expect(failures.every(({ retryable }) => retryable)).toBe(true);

  await untilTaken(door, '/barn/notes/after');
  const after = await rig.cluster.door.get({ key: '/barn/notes/after' });
  expect(text(after?.value)).toBe('again');
  await door.close();
  await expect(door.put({ key: '/barn/notes/x', value: bytes('x') })).rejects.toMatchObject({
    code: 'CLOSED',
  });
  wire.close();
});

test('a member that falls silent answers nothing; the put ends as TIMEOUT', async () => {
  const wire = new Wire(rig.grpcPort);
  const door = new GrpcDoor(`127.0.0.1:${String(await wire.open())}`, {
    token: null,
    timeoutMs: 20_000,
  });
  await door.put({ key: '/barn/notes/before', value: bytes('x') });
  wire.hold();
  const put = door.put({ key: '/barn/notes/silent', value: bytes('x'), timeoutMs: 50 });
  await expect(put).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true });
  await door.close();
  wire.close();
});

/** As a program would: again while the cluster says that it is worth it. */
async function untilTaken(door: GrpcDoor, key: string): Promise<void> {
  for (;;) {
    try {
      await door.put({ key, value: bytes('again') });
      return;
    } catch (error) {
      if (!(error instanceof FreshetError) || !error.retryable) throw error;
    }
  }
}
