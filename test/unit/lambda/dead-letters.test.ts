import { expect, test } from 'vitest';
import { type ErrorCode, FreshetError, ManualClock } from '../../../platform/base/mod.ts';
import { silentLogger } from '../../../platform/base/mod.ts';
import { Database, type Door } from '../../../platform/client/mod.ts';
import { DeadLetters } from '../../../platform/lambda/dead-letters.ts';
import type { LambdaNode } from '../../../platform/lambda/mod.ts';
import type { WorkEvent } from '../../../platform/lambda/worker-protocol.ts';

const node = { lambda: 'farm/echo', prefix: '/in', version: '1' } as LambdaNode;
const item: WorkEvent = {
  ...{ kind: 'put', key: '/in/cow', name: 'cow', shard: 1, version: 3, epoch: 1, raw: false },
  ...{ time: 5, eventTime: null, meta: {}, bytes: null },
};

/** Letters of a member whose pool answers so, one put after the other. */
function lettersOf(...answers: (ErrorCode | 'written')[]) {
  const clock = new ManualClock();
  const put = async () => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined || answer === 'written') return Promise.resolve({ version: 1 });
    throw new FreshetError(answer, 'It was refused');
  };
  const letters = new DeadLetters(
    new Database({ put } as unknown as Door),
    1,
    clock,
    silentLogger(),
  );
  const written = letters.write('farm', node, item, new FreshetError('LAMBDA_FAILED', 'It failed'));
  const pass = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
  };
  return { letters, written, pass };
}

test('a letter is written once its pool takes it', async () => {
  const { written, pass } = lettersOf('SHARD_STOPPED', 'OVERLOADED', 'written');
  await pass();
  await pass();
  expect(await written).toBe(true);
});

test('a letter that nobody will ever take is given up', async () => {
  expect(await lettersOf('UNKNOWN_POOL').written).toBe(true);
});

test('a letter that the end of the member overtakes is not written', async () => {
  const { letters, written, pass } = lettersOf('SHARD_STOPPED');
  await pass();
  letters.close();
  await pass();
  expect(await written).toBe(false);
  expect(await lettersOf('CLOSED').written).toBe(false);
});
