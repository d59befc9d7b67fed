/**
 * Hosts (cables.ts) on a common switch (`test/native/network`), whose ways can be cut, slowed and
 * made to lose frames, each direction by itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endsOf, type Hosts, hosts as places, layCables, switchHost, tc } from './cables.ts';
import { repositoryRoot } from './repository.ts';

/** Built with the native tests. */
export const switchProgram = join(repositoryRoot, 'build', 'native', 'test', 'network_switch');

/** Frames that netem holds; what is more is lost. */
const netemLimit = 100_000;

/** What happens to the frames from one host to another. */
export interface Way {
  readonly cut: boolean;
  readonly delayMs: number;
  /** Frames of a thousand. */
  readonly lossPerMille: number;
}

const open: Way = { cut: false, delayMs: 0, lossPerMille: 0 };

export class Network implements Hosts {
  readonly hosts: readonly number[];
  readonly #switch: ChildProcess;
  readonly #ways = new Map<string, Way>();
  /** Hosts that netem delays. */
  readonly #netem = new Set<number>();
  /** Who waits for the answers of the switch, in their order; null: it ended. */
  readonly #waiting: ((line: string | null) => void)[] = [];

  private constructor(hosts: readonly number[], hub: ChildProcess) {
    this.hosts = hosts;
    this.#switch = hub;
    createInterface({ input: hub.stdout! }).on('line', (line) => {
      this.#waiting.shift()?.(line);
    });
    hub.once('exit', () => {
      for (const answer of this.#waiting.splice(0)) answer(null);
    });
  }

  /** Hosts 0 to `members`. `seed` draws the frames that lossy ways lose. */
  static async open(members: number, seed = 1): Promise<Network> {
    const hosts = await layCables(members);
    const cables = hosts.map((host) => `s${String(host)}`);
    const hub = spawn(
      'nsenter',
      [...[`--net=/run/netns/${switchHost}`, switchProgram, String(seed), ...cables]],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const network = new Network(hosts, hub);
    await network.#answer('ready');
    return network;
  }

  addressOf(host: number): string {
    return places.addressOf(host);
  }

  at(host: number): readonly string[] {
    return places.at(host);
  }

  /** Changes the ways from each of some hosts to each of others. */
  async change(from: readonly number[], to: readonly number[], what: Partial<Way>): Promise<void> {
    const pairs = from.flatMap((a) => to.filter((b) => b !== a).map((b) => [a, b] as const));
    await Promise.all(
      pairs.map(([a, b]) => {
        const way = { ...(this.#ways.get(`${String(a)} ${String(b)}`) ?? open), ...what };
        return this.#set(a, b, way);
      }),
    );
  }

  /** All that goes to and comes from a host is on its way for longer; says what sees to that. */
  async delay(host: number, delayMs: number): Promise<'netem' | 'the switch'> {
    const netem = ['netem', 'delay', `${String(delayMs)}ms`, 'limit', String(netemLimit)];
    const [near, far] = endsOf(host);
    try {
      await tc('add', near, ...netem);
    } catch {
      // A kernel without netem, or a machine without tc.
      const others = this.hosts.filter((other) => other !== host);
      await this.change([host], others, { delayMs });
      await this.change(others, [host], { delayMs });
      return 'the switch';
    }
    this.#netem.add(host);
    await tc('add', far, ...netem);
    return 'netem';
  }

  /** All ways as they were in the beginning. */
  async heal(): Promise<void> {
    for (const host of this.#netem) for (const end of endsOf(host)) await tc('del', end);
    this.#netem.clear();
    await Promise.all(
      [...this.#ways.keys()].map((pair) => {
        const [from, to] = pair.split(' ').map(Number) as [number, number];
        return this.#set(from, to, open);
      }),
    );
    this.#ways.clear();
  }

  async close(): Promise<void> {
    const ended = once(this.#switch, 'exit');
    this.#switch.stdin?.end();
    await ended;
  }

  async #set(from: number, to: number, way: Way): Promise<void> {
    this.#ways.set(`${String(from)} ${String(to)}`, way);
    const words = [from, to, way.cut ? 1 : 0, Math.round(way.delayMs * 1000), way.lossPerMille];
    this.#switch.stdin?.write(`${words.join(' ')}\n`);
    await this.#answer('ok');
  }

  async #answer(wanted: string): Promise<void> {
    const given = await new Promise<string | null>((resolve) => {
      this.#waiting.push(resolve);
    });
    if (given !== wanted) throw new Error(`The switch said ${given ?? 'nothing, and ended'}`);
  }
}
