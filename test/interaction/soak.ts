/** Random rounds of faults on one cluster, while a client counts; and what it comes to. */
import { SeededRandom } from '../../platform/base/mod.ts';
import { diskMiB, drawRound, roundNames } from './faults.ts';
import { ScriptRunner } from './run-script.ts';
import { parseLine } from './script.ts';

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly members: number;
  /** Rounds to draw from; all when none is named. */
  readonly only: readonly string[];
  /** Empty, for the members' data. */
  readonly folder: string;
  readonly say: (text: string) => void;
  /** Ends it after the round that is under way. */
  readonly signal: AbortSignal;
}

/** So many rounds lie between two looks at everything. */
const checkEvery = 5;

/** Throws at the first thing that is wrong. */
export async function soak(options: SoakOptions): Promise<void> {
  const { seconds, seed, members, only, folder, say, signal } = options;
  const random = new SeededRandom(seed);
  const ids = Array.from({ length: members }, (_, nth) => nth + 1);
  const disks = new Map(ids.map((id) => [id, diskMiB.enough]));
  const runner = await ScriptRunner.open({
    ...{ members, disks, folder, seed, say },
    valueBytes: 100,
  });
  const run = async (line: string, place: string): Promise<void> => {
    await runner.runLine({ text: line, step: parseLine(line) }, place);
  };
  for (const line of ['start all', 'view all', 'count']) await run(line, 'start');
  const until = performance.now() + seconds * 1000;
  let rounds = 0;
  let bag: string[] = [];
  while (performance.now() < until && !signal.aborted) {
    // Each comes as often as the others, in any order.
    if (bag.length === 0) bag = random.shuffled(only.length > 0 ? only : roundNames);
    const name = bag.pop() ?? '';
    const place = `seed ${String(seed)}, round ${String(++rounds)}, ${name}`;
    say(`== ${place}`);
    for (const line of drawRound(name, ids, random)) await run(line, place);
    if (rounds % checkEvery === 0) await run('check', place);
  }
  for (const line of ['rest', 'check']) await run(line, 'end');
  const { delivered, persisted, reads, failures } = runner.client.counts;
  const failed = Object.entries(failures).map(([code, count]) => `${String(count)} ${code}`);
  say(
    `seed ${String(seed)}: ${String(rounds)} rounds; ${String(persisted + delivered)} puts ` +
      `acknowledged and found, ${String(reads)} reads; attempts refused: ${failed.join(', ')}`,
  );
}
