/**
 * Hosts with addresses of their own, each a network namespace with one cable to a common switch
 * (`test/native/network`), whose ways can be cut, slowed and made to lose frames, each direction by
 * itself. Only in an enclosure (enclosure.ts), which takes all of it away.
 *
 * Hosts are numbers from 0 on; host 0 is the enclosure's own network, where the test's clients are.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { isEnclosed } from './enclosure.ts';
import { repositoryRoot } from './repository.ts';

const run = promisify(execFile);

/** Built with the native tests. */
export const switchProgram = join(repositoryRoot, 'build', 'native', 'test', 'network_switch');

const switchHost = 'switch';
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

export class Network {
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
    if (!isEnclosed()) throw new Error('Networks are made in an enclosure only');
    const hosts = Array.from({ length: members + 1 }, (_, host) => host);
    await run('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
    await ip([
      `netns add ${switchHost}`,
      ...hosts.slice(1).map((host) => `netns add ${name(host)}`),
    ]);
    await Promise.all(hosts.map(connect));
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
    return `10.77.0.${String(10 + host)}`;
  }

  /** The words before a command that runs it at a host, in the same process. */
  at(host: number): readonly string[] {
    return host === 0 ? [] : ['nsenter', `--net=/run/netns/${name(host)}`];
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

function name(host: number): string {
  return `host-${String(host)}`;
}

/** One end of a cable. */
interface End {
  /** null: that of this program. */
  readonly namespace: string | null;
  readonly device: string;
}

/** Of the cable of a host: its own, and the switch's. */
function endsOf(host: number): readonly [End, End] {
  return [
    { namespace: host === 0 ? null : name(host), device: `h${String(host)}` },
    { namespace: switchHost, device: `s${String(host)}` },
  ];
}

/** Changes the queue of what leaves an end of a cable. */
async function tc(verb: string, { namespace, device }: End, ...words: string[]): Promise<void> {
  const place = namespace === null ? [] : ['-n', namespace];
  await run('tc', [...place, 'qdisc', verb, 'dev', device, 'root', ...words]);
}

/** The cable of a host, its address, and its way to itself. */
async function connect(host: number): Promise<void> {
  const [{ device: near }, { device: far }] = endsOf(host);
  await ip([
    `link add ${near} type veth peer name ${far}`,
    `link set ${far} netns ${switchHost}`,
    ...(host === 0 ? [] : [`link set ${near} netns ${name(host)}`]),
  ]);
  await ip([`link set ${far} up`], switchHost);
  await ip(
    [
      `address add 10.77.0.${String(10 + host)}/24 dev ${near}`,
      `link set ${near} up`,
      'link set lo up',
    ],
    host === 0 ? null : name(host),
  );
}

/** Runs commands of `ip` in a namespace; null: in that of this program. */
async function ip(commands: readonly string[], namespace: string | null = null): Promise<void> {
  const running = run('ip', [...(namespace === null ? [] : ['-n', namespace]), '-batch', '-']);
  running.child.stdin?.end(`${commands.join('\n')}\n`);
  await running;
}
