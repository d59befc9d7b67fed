import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DevCluster, startDevCluster } from '../../platform/cli/dev-cluster.ts';
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
  await dev.door.createPool({ name: '/again', kind: 'persistent' });
  const key = '/again/a';
  expect(await dev.door.put({ key, value: Buffer.from('1') })).toMatchObject({ version: 1 });
});
