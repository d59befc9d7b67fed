/** In the guest: the suite of transports, a cluster that loses a member, and a few figures. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes } from '../support/cluster.ts';
import { loseOneAndLetItIn, put, startOver } from '../support/transport-scenario.ts';
import { runInherited } from './run-inherited.ts';

// An emulated processor: everything takes many times as long, heartbeats too.
const agent = { heartbeatMs: 200, silenceMs: 5000 };
const rows = [
  { size: 100, puts: 300, lanes: 1 },
  { size: 100, puts: 2000, lanes: 32 },
  { size: 65_536, puts: 200, lanes: 8 },
] as const;

process.exitCode = await main();

async function main(): Promise<number> {
  const [, , conformance = ''] = process.argv;
  say('the suite of transports, on fabric/verbs');
  const code = await runInherited(conformance, ['fabric_verbs']);
  if (code !== 0) return code;

  say('three members over fabric/verbs: put, get, lose one, let it in again');
  const folder = await mkdtemp(join(tmpdir(), 'freshet-rdma-'));
  const cluster = await startOver('fabric/verbs', folder, { agent });
  try {
    await loseOneAndLetItIn(cluster);
    say('ok');
    for (const row of rows) {
      const { size, puts, lanes } = row;
      const value = bytes('v'.repeat(size));
      const took: number[] = [];
      const began = performance.now();
      const lane = async (nth: number): Promise<void> => {
        for (let at = nth; at < puts; at += lanes) {
          const start = performance.now();
          await put(cluster, 1, `/herd/bench/${String(at)}`, value);
          took.push(performance.now() - start);
        }
      };
      await Promise.all(Array.from({ length: lanes }, (_, nth) => lane(nth)));
      const perSecond = Math.round((puts / (performance.now() - began)) * 1000);
      const middle = took.sort((a, b) => a - b)[Math.floor(took.length / 2)] ?? 0;
      const what = `${String(size)} B, ${String(lanes)} at a time`;
      say(`${what}: ${String(perSecond)} puts/s, p50 ${middle.toFixed(1)} ms (emulated)`);
    }
  } finally {
    await cluster.close();
  }
  return 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
