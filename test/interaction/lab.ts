/** A cluster at hosts of a network of its own: what scenarios do things to. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { Network } from '../support/network.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { HostedMember } from './hosted-member.ts';
import type { MemberLook, StallReport } from './member/orders.ts';

const MiB = 1024 * 1024;
const replicationPort = 7400;
const grpcPort = 7401;
const httpPort = 7402;
const nativePort = 7403;
/** Of one attempt; a client tries again elsewhere. */
const callTimeoutMs = 2000;
const stallMs = { least: 2000, most: 30_000 };
const lookEveryMs = 20;

export interface LabOptions {
  readonly members: number;
  /** Members use folders below it. */
  readonly folder: string;
  readonly seed: number;
  /** Further settings of all members. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export class Lab {
  readonly ids: readonly number[];
  readonly network: Network;
  /** The way of a client to each member, whether that runs or not. */
  readonly doors: ReadonlyMap<number, GrpcDoor>;
  readonly #options: LabOptions;
  readonly #members = new Map<number, HostedMember>();
  readonly #disks = new Map<number, SmallDisk>();

  private constructor(options: LabOptions, network: Network) {
    this.#options = options;
    this.network = network;
    this.ids = network.hosts.slice(1);
    this.doors = new Map(
      this.ids.map((id) => {
        const address = `${network.addressOf(id)}:${String(grpcPort)}`;
        return [id, new GrpcDoor(address, { token: null, timeoutMs: callTimeoutMs })];
      }),
    );
  }

  static async open(options: LabOptions): Promise<Lab> {
    return new Lab(options, await Network.open(options.members, options.seed));
  }

  /** Ids of the members that run and are not stopped. */
  get awake(): readonly number[] {
    return this.ids.filter((id) => {
      const member = this.#members.get(id);
      return member?.isRunning === true && !member.isStopped;
    });
  }

  get down(): readonly number[] {
    return this.ids.filter((id) => this.#members.get(id)?.isRunning !== true);
  }

  /** Before the member is started for the first time. */
  async giveDisk(id: number, sizeMiB: number): Promise<void> {
    this.#disks.set(id, await SmallDisk.mount(this.#folderOf(id), sizeMiB * MiB));
  }

  async leaveOnDisk(id: number, freeMiB: number): Promise<void> {
    const disk = this.#disks.get(id);
    if (disk === undefined) throw new Error(`Member ${String(id)} has no disk of its own`);
    await disk.leave(freeMiB * MiB);
  }

  async start(ids: readonly number[]): Promise<void> {
    await Promise.all(
      ids.map(async (id) => {
        const { network } = this;
        const host = network.addressOf(id);
        const doors = {
          host,
          grpcPort,
          httpPort,
          nativePort,
          allowedHosts: [],
          dashboardFolder: null,
        };
        const order = { config: this.#configOf(id), extra: { ...doors, searchPorts: false } };
        this.#members.set(id, await HostedMember.start(id, network.at(id), order));
      }),
    );
  }

  /** kill -9 */
  async kill(ids: readonly number[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#member(id).kill()));
  }

  signal(id: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#member(id).signal(signal);
  }

  look(id: number): Promise<MemberLook> {
    return this.#member(id).call('look');
  }

  /** Resolves once each of these runs its shards in a view of exactly `members`. */
  async whenInView(members: readonly number[], ids: readonly number[]): Promise<void> {
    const wanted = [...members].sort().join();
    const isThere = async (id: number): Promise<boolean> => {
      const { running, members: found } = await this.look(id);
      return running && [...found].sort().join() === wanted;
    };
    for (const id of ids) {
      while (!(await isThere(id))) await pause(lookEveryMs);
    }
  }

  /** The member that leads, as most of those awake see it. */
  async leader(): Promise<number> {
    const looks = await Promise.all(this.awake.map((id) => this.look(id)));
    const [newest] = looks.filter(({ running }) => running).sort((a, b) => b.number - a.number);
    const leader = newest?.leader ?? newest?.members[0];
    if (leader === undefined) throw new Error('Nobody leads');
    return leader;
  }

  /**
   * Stops the event loops of all members that are awake, kills one of them meanwhile, and resolves
   * with what each of the others had installed when its loop went on.
   */
  async stallAndKill(victim: number): Promise<ReadonlyMap<number, StallReport>> {
    const members = this.awake.map((id) => this.#member(id));
    const order = { leastMs: stallMs.least, mostMs: stallMs.most, without: victim };
    const stalling = Promise.all(members.map((member) => member.whenStalling()));
    const reports = members.map(async (member) => {
      if (member.id === victim) return member.call('stall', order).catch(() => null);
      return member.call<StallReport>('stall', order);
    });
    await stalling;
    await this.kill([victim]);
    const told = await Promise.all(reports);
    return new Map(
      members.flatMap(({ id }, nth) => (id === victim ? [] : [[id, told[nth] as StallReport]])),
    );
  }

  /** Kills whatever still runs. */
  async close(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.kill()));
    for (const door of this.doors.values()) await door.close();
    await this.network.close();
  }

  #configOf(id: number): Record<string, unknown> {
    return {
      cluster: { name: 'lab', secret: 'of the lab' },
      memory: { ringBudgetBytes: 24 * MiB },
      logLevel: process.env['FRESHET_TEST_LOG'] ?? 'error',
      // Members of one machine must not spin in each other's way.
      agent: { spinMicros: 0 },
      ...this.#options.config,
      node: id,
      members: this.ids.map((other) => ({
        id: other,
        host: this.network.addressOf(other),
        port: replicationPort,
      })),
      dataFolder: this.#folderOf(id),
    };
  }

  #folderOf(id: number): string {
    return join(this.#options.folder, `member-${String(id)}`);
  }

  #member(id: number): HostedMember {
    const member = this.#members.get(id);
    if (member === undefined) throw new Error(`Member ${String(id)} was never started`);
    return member;
  }
}
