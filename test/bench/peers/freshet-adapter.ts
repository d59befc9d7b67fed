/**
 * Freshet as one more system of the peers' driver, whose `adapters/loop.mjs` describes the
 * interface: a fresh cluster of three members, each a process, and clients as any program has them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FreshetError, type ObjectRecord } from '../../../platform/base/mod.ts';
import { connect, type Database, type PutOutcome } from '../../../platform/client/mod.ts';
import { agentsNanos, type AgentsWork, sharesOf } from '../agents-work.ts';
import { type BenchCluster, startBenchCluster } from '../bench-cluster.ts';
import { writePutWork } from './put-work.ts';

/** The keys of the driver begin with one of these. */
const folders = ['t', 'w'];
/** Batches that are under way together. */
const lanes = 4;
/** Until a watch that was begun surely hears. */
const watchStartMs = 500;

/** What keeps a fixed number of puts under way; times in ms. */
export interface PutManyOptions {
  readonly next: () => readonly [key: string, value: Uint8Array];
  readonly window: number;
  readonly deadline: number;
  readonly onAck: (count: number) => void;
  readonly now: () => number;
}

/** What the driver does with one connection. */
export interface PeerClient {
  put(key: string, value: Uint8Array): Promise<void>;
  putMany(options: PutManyOptions): Promise<void>;
  get(key: string): Promise<Uint8Array | null>;
  watch(prefix: string, hear: (key: string, value: Uint8Array | null) => void): Promise<void>;
  close(): Promise<void>;
}

/** What it asks of a system. */
export interface PeerSystem {
  /** When a put is answered. */
  readonly durability: string;
  /** Where a get reads. */
  readonly getMode: string;
  readonly watchValue: boolean;
  start(): Promise<void>;
  pids(): readonly number[];
  connect(): Promise<PeerClient>;
  stop(): Promise<void>;
}

/** What the agents were at over the puts of a load. */
interface PutMeter {
  /** Nanoseconds. */
  readonly look: () => Promise<AgentsWork>;
  readonly note: (size: number, shares: AgentsWork) => Promise<void>;
}

class AdapterClient implements PeerClient {
  readonly #db: Database;
  readonly #meter: PutMeter;

  constructor(db: Database, meter: PutMeter) {
    this.#db = db;
    this.#meter = meter;
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#db.door.put({ key: `/${key}`, value });
  }

  async putMany({ next, window, deadline, onAck, now }: PutManyOptions): Promise<void> {
    const count = Math.max(1, Math.floor(window / lanes));
    let size = 0;
    const pump = async (): Promise<void> => {
      while (now() < deadline) {
        const puts = Array.from({ length: count }, () => {
          const [key, value] = next();
          size = value.byteLength;
          return { key: `/${key}`, value };
        });
        failFirst(await this.#db.door.putMany(puts));
        onAck(count);
      }
    };
    const pumps = Array.from({ length: Math.min(lanes, window) }, pump);
    const [before] = await Promise.all([this.#meter.look(), ...pumps]);
    await this.#meter.note(size, sharesOf(before, await this.#meter.look()));
  }

  get(key: string): Promise<Uint8Array | null> {
    return this.#db.door.get({ key: `/${key}` }).then(valueOf);
  }

  async watch(
    prefix: string,
    hear: (key: string, value: Uint8Array | null) => void,
  ): Promise<void> {
    const events = this.#db.door.watch({ prefix: `/${prefix}` });
    void (async () => {
      for await (const { object } of events) hear(object.key.slice(1), object.value);
    })().catch(() => undefined); // closed with its client
    await new Promise((resolve) => setTimeout(resolve, watchStartMs));
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

function valueOf(found: ObjectRecord | null): Uint8Array | null {
  return found?.value ?? null;
}

function failFirst(outcomes: readonly PutOutcome[]): void {
  const failed = outcomes.find((one) => one instanceof FreshetError);
  if (failed instanceof FreshetError) throw failed;
}

const guarantees = {
  volatile: 'in memory of all 3 members, in one agreed order',
  persistent: 'synced by all 3 members, in one agreed order',
};

/**
 * Of 1 MiB the driver keeps 232 values; what is not in memory a persistent pool has on disk, so the
 * least is enough there, and is used again soon.
 */
const MiB = 1024 * 1024;
const memory = { volatile: { shardBytes: 512 * MiB }, persistent: { shardBytes: 64 * MiB } };

/** `base`: where its folders may be. */
export function makeAdapter(
  kind: keyof typeof guarantees,
  { base }: { readonly base: string },
): PeerSystem {
  let folder: string | null = null;
  let running: BenchCluster | null = null;
  return {
    durability: guarantees[kind],
    getMode: 'a member of the shard, linearizable',
    watchValue: true,
    start: async () => {
      folder = await mkdtemp(join(base, 'freshet-peers-'));
      running = await startBenchCluster(folder, { memory: memory[kind] });
      for (const name of folders) {
        const pool = { name: `/${name}`, schema: 'raw' } as const;
        // The others keep the newest value of a key alone.
        await running.db.createPool(
          kind === 'volatile' ? { ...pool, kind, history: 1 } : { ...pool, kind },
        );
      }
    },
    pids: () => running?.pids ?? [],
    connect: async () => {
      if (running === null) throw new Error('There is no cluster to connect to');
      const { cluster, ports } = running;
      const db = await connect(ports.map(({ grpc }) => `127.0.0.1:${String(grpc)}`));
      return new AdapterClient(db, {
        look: () => agentsNanos(cluster),
        note: (size, shares) => writePutWork(base, kind, size, shares),
      });
    },
    stop: async () => {
      await running?.close();
      if (folder !== null) await rm(folder, { recursive: true, force: true });
    },
  };
}
