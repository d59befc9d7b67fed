import { expect, it, onTestFinished } from 'vitest';
import { SeededRandom, silentLogger, SystemClock } from '../../../platform/base/mod.ts';
import { type Arrival, LambdaRuntime } from '../../../platform/lambda/mod.ts';
import { tempFolder } from '../../support/mod.ts';

const trigger: Arrival = {
  kind: 'trigger',
  shard: 1,
  key: '/camera/a',
  version: null,
  epoch: null,
  time: 1,
  eventTime: null,
  meta: {},
  bytes: new Uint8Array(1),
};

it('takes no trigger before it knows its lambdas: nobody would run it', async () => {
  const catalog = { onChange: () => () => undefined, list: async () => Promise.resolve([]) };
  const runtime = await LambdaRuntime.open({
    node: 2,
    source: {} as never,
    catalog: catalog as never,
    door: {} as never,
    clock: new SystemClock(),
    random: new SeededRandom(1),
    log: silentLogger(),
    folder: await tempFolder(),
    workerEntry: '',
    cursorsElsewhere: () => Promise.resolve(new Map()),
    tellReaches: () => undefined,
    isHeld: () => true,
    whenOthersRun: async () => Promise.resolve(),
  });
  onTestFinished(async () => runtime.close());
  const put = () => {
    runtime.onTrigger(trigger);
  };
  expect(put).toThrow(expect.objectContaining({ code: 'SHARD_STOPPED', retryable: true }) as Error);
  await runtime.begin();
  expect(put).not.toThrow();
});
