/**
 * Hosts (cables.ts) on the kernel's own bridge, which costs little, where no host sends faster than
 * a given rate (`tc tbf`).
 */
import { endsOf, type Hosts, hosts, ip, layCables, switchHost, tc } from './cables.ts';

const bridge = 'bridge';
/** What the kernel hands to a device at once fits in, and what waits takes no longer than this. */
const burstBytes = 128 * 1024;
const latency = '20ms';

/** Hosts 0 to `members`, each of which sends at most `bitsPerSecond`. */
export async function openPacedNetwork(members: number, bitsPerSecond: number): Promise<Hosts> {
  const numbers = await layCables(members);
  await ip([`link add ${bridge} type bridge`, `link set ${bridge} up`], switchHost);
  await ip(
    numbers.map((host) => `link set ${endsOf(host)[1].device} master ${bridge}`),
    switchHost,
  );
  for (const host of numbers) {
    const rate = ['rate', `${String(bitsPerSecond)}bit`, 'burst', `${String(burstBytes)}b`];
    await tc('add', endsOf(host)[0], 'tbf', ...rate, 'latency', latency);
  }
  return hosts;
}
