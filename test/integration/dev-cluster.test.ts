import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DevCluster, startDevCluster } from '../../platform/cli/dev-cluster.ts';
import { connect, raw } from '../../platform/client/mod.ts';
import { makeTempFolder, type TemporaryFolder } from '../support/mod.ts';

let folder: TemporaryFolder;
let dev: DevCluster;
const notes: string[] = [];
let onNote = () => {};

beforeAll(async () => {
  folder = await makeTempFolder();
  dev = await startDevCluster(
    {
      members: 2,
      dataFolder: folder.path,
      httpPort: 0,
      grpcPort: 0,
      fresh: false,
      logLevel: 'fatal',
    },
    () => undefined,
    (text) => {
      notes.push(text);
      onNote();
    },
  );
});

afterAll(async () => {
  await dev.close();
  await folder.remove();
});

/** Resolves when something like it has been noted. */
async function noted(pattern: RegExp): Promise<void> {
  while (!notes.some((text) => pattern.test(text))) {
    await new Promise<void>((resolve) => {
      onNote = resolve;
    });
  }
}

it('starts a member again until it runs, not once only', async () => {
  const member = dev.cluster.members[1];
  member?.process?.kill('SIGKILL');
  await noted(/member 2 ended with SIGKILL/);
  // The other member dials it meanwhile.
  const occupant = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => {
    occupant.listen(member?.port, '127.0.0.1', resolve);
  });
  await noted(/member 2 does not start: .*it is tried again/);
  await new Promise((resolve) => occupant.close(resolve));
  const db = await connect(dev.grpc, { timeoutMs: 60_000 });
  await db.createPool({ name: '/again', kind: 'persistent' });
  expect(await db.pool('/again', raw()).put('a', Buffer.from('1'))).toMatchObject({ version: 1 });
  await db.close();
});

it('gives a start up when it is interrupted, and leaves nothing of it running', async () => {
  const other = await makeTempFolder();
  const start = async (abortAt: string) => {
    const controller = new AbortController();
    const options = {
      members: 2,
      dataFolder: other.path,
      httpPort: 0,
      grpcPort: 0,
      fresh: false,
      logLevel: 'fatal',
      signal: controller.signal,
    };
    const onProgress = (text: string) => {
      if (text.startsWith(abortAt)) controller.abort();
    };
    return startDevCluster(options, onProgress, () => undefined);
  };
  await expect(start('starting')).rejects.toMatchObject({ code: 'CANCELLED' });
  await expect(start('waiting')).rejects.toMatchObject({ code: 'CANCELLED' });
  // A member that were left would hold the folder.
  const whole = await start('never');
  await whole.close();
  await other.remove();
});
