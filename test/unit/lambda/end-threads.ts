/**
 * Ends the thread of a lambda again and again while it makes native calls: by its time limit, by
 * stopping it, by its start taking too long. A thread that is ended inside one takes this whole
 * process with it, so the test runs it as a program.
 *
 *     end-threads.ts <worker entry> <file of the lambda's bundle> <limit of its start, ms> <rounds>
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type FreshetError,
  silentLogger,
  SystemClock,
  toFreshetError,
} from '../../../platform/base/mod.ts';
import type { Door } from '../../../platform/client/mod.ts';
import { StartTurns } from '../../../platform/lambda/start-turns.ts';
import type { SharedSource } from '../../../platform/lambda/worker-calls.ts';
import { WorkerHost, workerLimits } from '../../../platform/lambda/worker-host.ts';
import type { WorkItem } from '../../../platform/lambda/worker-protocol.ts';

const [entry = '', code = '', startTimeoutMs = '', rounds = ''] = process.argv.slice(2);
const item: WorkItem = {
  kind: 'put',
  key: '/in/a',
  name: 'a',
  shard: 0,
  version: 1,
  epoch: 1,
  time: 1,
  eventTime: null,
  meta: {},
  bytes: new Uint8Array(1),
  shared: null,
};

/** One thread; resolves when it is over. Even rounds end it by a limit, odd ones by `stop`. */
async function endOne(round: number): Promise<void> {
  let changed: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (changed = resolve));
  const clock = new SystemClock();
  const host = new WorkerHost({
    turns: new StartTurns(clock),
    isWanted: () => true,
    start: {
      lambda: 'ended',
      code,
      config: {},
      assets: {},
      node: 1,
      memberKey: null,
      niceness: 0,
    },
    entry,
    // The lambda calls nothing of it.
    door: {} as Door,
    source: {} as SharedSource,
    clock,
    log: silentLogger(),
    // It never answers the request to end by itself; a lambda stuck in `setup` never gets ready.
    limits: {
      ...workerLimits,
      stopTimeoutMs: 1,
      startTimeoutMs: Number(startTimeoutMs),
      restartBackoffMs: [60e3, 60e3],
    },
    onChange: () => {
      changed();
    },
    onBegan: () => undefined,
  });
  await ready;
  const lost = host.isIdle ? await endRun(host, round) : host.lastError;
  if (lost?.code !== 'LAMBDA_TIMEOUT' && lost?.code !== 'CLOSED') throw lost ?? new Error('no end');
  await host.stop();
}

/** What the run that was ended is rejected with. */
async function endRun(host: WorkerHost, round: number): Promise<FreshetError | null> {
  const afterMs = 20 + (round % 7) * 5;
  const isByLimit = round % 2 === 0;
  const run = host.run([item], { rank: 0, shardSize: 1 }, isByLimit ? afterMs : 60_000).then(
    () => null,
    (error: unknown) => toFreshetError(error),
  );
  if (isByLimit) return run;
  const early = await Promise.race([run, sleep(afterMs, 'under way' as const)]);
  if (early !== 'under way') return early;
  await host.stop();
  return run;
}

for (let round = 0; round < Number(rounds); round++) await endOne(round);
process.stdout.write('alive\n');
