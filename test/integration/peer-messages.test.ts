import { expect, onTestFinished, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';
import { tempFolder } from '../support/mod.ts';

const timeoutMs = 20_000;
const depth = 6;
const calls = 100;

/** In Derecho a call from within a call waited on the thread that had to take the answer. */
test('thread 17: calls that wait for calls the other way all end', async () => {
  const cluster = await startTestCluster({ folder: await tempFolder('peer-messages') });
  onTestFinished(() => cluster.close());
  const others = (node: number) => cluster.ids.filter((id) => id !== node);
  for (const { nodeId, messages } of cluster.members) {
    messages.handle('test.sum', async (from, left) => {
      if (left === 0) return 1;
      const next = (left as number) - 1;
      const [back, on] = others(nodeId).sort((a, b) => Number(b === from) - Number(a === from));
      const sums = await Promise.all(
        [back, on].map((to) =>
          messages.call(to as number, 'test.sum', next, { timeoutMs, signal: null }),
        ),
      );
      return 1 + (sums as number[]).reduce((sum, each) => sum + each, 0);
    });
  }
  const asked = cluster.members.flatMap(({ nodeId, messages }) =>
    Array.from({ length: calls }, async (_, nth) => {
      const to = others(nodeId)[nth % 2] as number;
      return messages.call(to, 'test.sum', nth % depth, { timeoutMs, signal: null });
    }),
  );
  const wanted = cluster.members.flatMap(() =>
    Array.from({ length: calls }, (_, nth) => 2 ** ((nth % depth) + 1) - 1),
  );
  expect(await Promise.all(asked)).toEqual(wanted);
});
