import { afterEach, expect, test } from 'vitest';
import { limits, type PutResult } from '../../platform/base/mod.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { tempFolder } from '../support/mod.ts';

let cluster: TestCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

const kinds = ['volatile', 'persistent'] as const;

test.each(kinds)('a member gets the largest value and many sessions: %s', async (kind) => {
  const running = await startTestCluster({ folder: await tempFolder('fill') });
  cluster = running;
  const { objects } = running.member(1).store;
  await objects.createPool({ name: '/milk', kind, schema: 'raw' });
  await running.stop(3);
  const put = { key: '/milk/yield', timeoutMs: 30_000 };
  const value = Buffer.from('14.2');
  const stamps = Array.from({ length: 1000 }, (_, nth) => nth + 1).map((request) => {
    return { request, lowestUnanswered: 1 };
  });
  const answers = [];
  for (let session = 1; session <= 10; session++) {
    const puts = stamps.map((stamp) => ({ ...put, value, session: { ...stamp, session } }));
    answers.push(await objects.putMany(puts));
  }
  await objects.put({ ...put, value: new Uint8Array(limits.valueBytesDefault) });
  await running.start(3);
  await running.whenRunning();
  const filled = running.member(3).store.objects;
  expect(await filled.get(put)).toMatchObject({ size: limits.valueBytesDefault });
  for (const [nth, versions] of answers.entries()) {
    const session = { session: nth + 1, request: 500, lowestUnanswered: 1 };
    const { version, epoch, time } = versions[499] as PutResult;
    expect(await filled.put({ ...put, value, session })).toMatchObject({ version, epoch, time });
  }
});
