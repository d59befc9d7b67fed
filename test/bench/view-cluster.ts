/** Members without doors that can be killed, stopped or cut off, and what they tell of views. */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type LocalCluster,
  type MemberPlace,
  startLocalCluster,
} from '../../platform/local-cluster.ts';
import type { Hosts } from '../support/cables.ts';
import type { Stalls, ViewNews } from './member/view-member.ts';

const waitMs = 60_000;
/** Members that are not on loopback have to have a secret. */
export const cluster = { name: 'bench', secret: 'of the bench' };

export interface ViewClusterOptions {
  readonly members: number;
  readonly folder: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of which each member has a host of its own, by its number. */
  readonly network?: Hosts;
}

export class ViewCluster {
  readonly cluster: LocalCluster;
  readonly #news = new Map<number, ViewNews[]>();

  private constructor(cluster: LocalCluster) {
    this.cluster = cluster;
  }

  static async start(options: ViewClusterOptions): Promise<ViewCluster> {
    const { members, folder, config, network } = options;
    // No member uses any; Node parses those of the machine at each start, 35 ms for 140 of them.
    delete process.env['NODE_EXTRA_CA_CERTS'];
    const isSource = import.meta.url.endsWith('.ts');
    const started = new ViewCluster(
      await startLocalCluster({
        members,
        dataFolder: folder,
        config: { logLevel: 'error', ...(network === undefined ? {} : { cluster }), ...config },
        ...(network === undefined ? {} : { places: (id) => placeIn(network, id) }),
        entry: new URL(`./member/view-member.${isSource ? 'ts' : 'js'}`, import.meta.url),
      }),
    );
    try {
      await started.cluster.whenRunning(waitMs);
      for (const { id } of started.cluster.members) await started.#listen(id);
    } catch (error) {
      await started.cluster.close();
      throw error;
    }
    return started;
  }

  call(id: number, method: string, argument: unknown = null): Promise<unknown> {
    return this.cluster.call(id, method, argument);
  }

  /** Starts a killed member and waits until its shards run. */
  async startAgain(id: number): Promise<void> {
    this.#news.delete(id);
    await this.cluster.start(id);
    await this.cluster.whenRunning(waitMs);
    await this.#listen(id);
  }

  signal(id: number, signal: NodeJS.Signals): void {
    const child = this.cluster.members.find((member) => member.id === id)?.process;
    if (child?.pid === undefined) throw new Error(`Member ${String(id)} does not run`);
    process.kill(child.pid, signal);
  }

  /** The newest view that a member told; 0: none. */
  numberAt(id: number): number {
    return this.#news.get(id)?.at(-1)?.number ?? 0;
  }

  /** When all of these had a view beyond `number` that ran, by the clock of the news in ms. */
  async whenBeyond(ids: readonly number[], number: number): Promise<number> {
    const until = performance.now() + waitMs;
    for (;;) {
      const found = ids.map((id) =>
        this.#news.get(id)?.find((news) => news.number > number && news.running),
      );
      const times = found.flatMap((news) => (news === undefined ? [] : [news.at]));
      if (times.length === ids.length) return Math.max(...times);
      if (performance.now() > until) throw new Error(`no view beyond ${String(number)} began`);
      await pause(2);
    }
  }

  startPuts(id: number, prefix: string): Promise<unknown> {
    return this.call(id, 'startPuts', prefix);
  }

  async takePuts(id: number): Promise<Stalls> {
    return (await this.call(id, 'takePuts')) as Stalls;
  }

  async close(): Promise<void> {
    for (const { id, process: child } of this.cluster.members) {
      if (child !== null) this.signal(id, 'SIGCONT');
    }
    await this.cluster.close();
  }

  async #listen(id: number): Promise<void> {
    const news: ViewNews[] = [];
    this.#news.set(id, news);
    const child = this.cluster.members.find((member) => member.id === id)?.process;
    child?.on('message', (message: { readonly type: string }) => {
      if (message.type === 'view') news.push(message as ViewNews);
    });
    await this.call(id, 'tellViews');
  }
}

export function placeIn(network: Hosts, id: number): MemberPlace {
  return { host: network.addressOf(id), words: network.at(id) };
}

export const wallMs = (): number => performance.timeOrigin + performance.now();
