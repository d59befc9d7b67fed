import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { atMost, type Check, holds } from '../check.ts';
import { processesOf, startProduct } from '../product.ts';

const timeoutMs = 240_000;
const endMs = 30_000;
/** A sighting as it is shown: cow, coat, similarity and milliseconds. */
const firstFrame = /^(cow[_ ]\S+|unknown cow).*\d+ ms/m;

/** A later start, until its first frame is recognised, and its end by Ctrl-C. */
export const startAgain: Check = {
  point: '1 commands',
  name: 'start-again',
  run: async ({ root, folder }) => {
    const data = ['--data', join(folder, 'data')];
    const first = startProduct(root, data, { timeoutMs });
    await first.whenSaid(firstFrame, timeoutMs);
    first.signal('SIGINT');
    await first.ended;

    const mark = randomUUID();
    const again = startProduct(root, data, { timeoutMs, mark });
    const elapsedMs = await again.whenSaid(firstFrame, timeoutMs);
    const while_ = (await processesOf(mark)).length;
    again.signal('SIGINT', 'group');
    const ended = await Promise.race([again.ended, sleep(endMs, null)]);
    const left = await processesOf(mark);
    if (ended === null) again.killGroup();
    const told = again.stdout + again.stderr;
    const lines = [/dashboard\s+http/, /curl --data-binary/, /freshet.* query /];
    const missing = lines.filter((line) => !line.test(told));
    return [
      atMost('a later start to its first frame', 5, elapsedMs / 1000, ' s'),
      holds(
        'lines to copy: dashboard, curl, query',
        'printed',
        missing.length === 0,
        missing.length === 0 ? 'printed' : `missing ${missing.map(String).join(', ')}`,
      ),
      holds(
        'Ctrl-C leaves no process',
        `0 of ${String(while_)}, within ${String(endMs / 1000)} s`,
        ended !== null && left.length === 0,
        `${String(left.length)} left${ended === null ? ', it did not end' : ''}`,
      ),
    ];
  },
};
