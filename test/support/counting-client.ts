/**
 * A client that counts: it puts numbers under keys of its own at all members of a cluster, each put
 * under a session and again and again until it is answered, while others read. What was
 * acknowledged must be found, once and in order, at every member, and no linearizable read may go
 * back.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type ErrorCode,
  type PutResult,
  SeededRandom,
  type SessionStamp,
  toFreshetError,
} from '../../platform/base/mod.ts';
import type { Door } from '../../platform/client/mod.ts';
import { KeyRecord, type Seen } from './key-record.ts';

export interface CountedPool {
  readonly name: string;
  readonly kind: 'persistent' | 'volatile';
}

export interface CountingOptions {
  readonly seed: number;
  readonly pools: readonly CountedPool[];
  /** Puts under way at once. */
  readonly lanes: number;
  /** Reads under way at once. */
  readonly readers: number;
  readonly keysPerLane: number;
  readonly valueBytes: number;
  /** Between a lane's puts, and a reader's reads: the machine is for the members. */
  readonly paceMs: number;
}

export const countingDefaults = { lanes: 6, readers: 3, keysPerLane: 4, paceMs: 5 };

/** What a client has seen so far. */
export interface Counts {
  /** Puts by level: of them those answered as being on all disks. */
  readonly delivered: number;
  readonly persisted: number;
  readonly reads: number;
  /** Attempts that failed, by code. */
  readonly failures: Readonly<Record<string, number>>;
}

const putTimeoutMs = 1500;
const readTimeoutMs = 1000;
/** A member that did not answer is left alone for so long. */
const avoidMs = 300;
const pauseMs = 20;
/** What a cluster in trouble may answer; anything else is a fault. */
const troubles: readonly ErrorCode[] = [
  ...['OVERLOADED', 'TIMEOUT', 'SHARD_STOPPED', 'NOT_CURRENT', 'NOT_A_MEMBER'],
  ...['UNREACHABLE', 'CLOSED', 'DISK_FULL', 'DISK_FAILED', 'CANCELLED'],
] as readonly ErrorCode[];

interface Key {
  readonly record: KeyRecord;
  readonly pool: CountedPool;
}

export class CountingClient {
  /** What must not be: each a sentence. */
  readonly faults: string[] = [];
  readonly #doors: ReadonlyMap<number, Door>;
  readonly #options: CountingOptions;
  readonly #keys: Key[] = [];
  readonly #avoided = new Map<number, number>();
  readonly #failures = new Map<string, number>();
  readonly #acknowledgedAt = new Map<number, number>();
  readonly #levels = { delivered: 0, persisted: 0 };
  #reads = 0;
  #running: Promise<unknown> | null = null;
  #isResting = false;
  /** Counts losses: a read that one came in between shows nothing. */
  #losses = 0;

  constructor(doors: ReadonlyMap<number, Door>, options: CountingOptions) {
    this.#doors = doors;
    this.#options = options;
  }

  get acknowledged(): number {
    return this.#levels.delivered + this.#levels.persisted;
  }

  get counts(): Counts {
    return {
      ...this.#levels,
      reads: this.#reads,
      failures: Object.fromEntries(this.#failures),
    };
  }

  /** Puts that a member has answered. */
  acknowledgedAt(id: number): number {
    return this.#acknowledgedAt.get(id) ?? 0;
  }

  /** Makes the pools; asks on until some member has. */
  async createPools(): Promise<void> {
    for (const { name, kind } of this.#options.pools) {
      // All versions are kept, so that all can be found.
      const pool = { name, kind, ...(kind === 'volatile' ? { history: 0 } : {}) };
      await this.#insist(new SeededRandom(this.#options.seed), (door) => door.createPool(pool));
    }
  }

  /** Puts and reads until `rest`. */
  begin(): void {
    const { lanes, readers, seed, pools, keysPerLane } = this.#options;
    this.#isResting = false;
    const round = this.#keys.length;
    const writers = Array.from({ length: lanes }, (_, lane) => {
      const keys = pools.flatMap((pool) =>
        Array.from({ length: keysPerLane }, (__, nth): Key => {
          const key = `${pool.name}/${String(round)}/${String(lane)}/${String(nth)}`;
          return { pool, record: new KeyRecord(key, pool.kind === 'persistent') };
        }),
      );
      this.#keys.push(...keys);
      return this.#write(keys, new SeededRandom(seed * 1000 + round + lane));
    });
    const reading = Array.from({ length: readers }, (_, nth) =>
      this.#read(new SeededRandom(seed * 1000 + round + 500 + nth)),
    );
    this.#running = Promise.all([...writers, ...reading]);
  }

  /** Ends the puts: resolves once the last of each lane is answered. */
  async rest(): Promise<void> {
    this.#isResting = true;
    await this.#running;
    this.#running = null;
  }

  /** To be called when a majority of the members was lost at once. */
  onLost(): void {
    this.#losses++;
    for (const { record } of this.#keys) record.onLost();
  }

  /**
   * Reads the whole history of every key at each of some members, while nothing is put; what is
   * wrong goes to `faults`. Returns how many versions it found at each.
   */
  async check(ids: readonly number[]): Promise<number> {
    let found = 0;
    for (const { record } of this.#keys) {
      const shown = await Promise.all(ids.map((id) => this.#history(id, record.key)));
      shown.forEach((history, nth) => {
        for (const fault of record.faultsOf(history)) {
          this.faults.push(`member ${String(ids[nth])}: ${fault}`);
        }
      });
      const different = new Set(shown.map((history) => JSON.stringify(history))).size > 1;
      if (different) this.faults.push(`${record.key}: members show different histories`);
      found += shown[0]?.length ?? 0;
    }
    return found;
  }

  async #write(keys: readonly Key[], random: SeededRandom): Promise<void> {
    const session = 1 + random.u32();
    for (let request = 1; !this.#isResting; request++) {
      const key = random.pick(keys);
      await this.#putNext(key, { session, request, lowestUnanswered: request }, random);
      await pause(this.#options.paceMs);
    }
  }

  async #putNext(
    { record, pool }: Key,
    session: SessionStamp,
    random: SeededRandom,
  ): Promise<void> {
    const { key } = record;
    const number = record.next();
    const value = Buffer.alloc(this.#options.valueBytes, ' ');
    value.write(String(number));
    const isDurable = pool.kind === 'persistent' && random.chance(0.7);
    const ack = isDurable ? 'persisted' : 'delivered';
    const request = { key, value, ack, session, timeoutMs: putTimeoutMs } as const;
    let answered: PutResult;
    try {
      answered = await this.#insist(random, async (door, id) => {
        const result = await door.put(request);
        this.#acknowledgedAt.set(id, this.acknowledgedAt(id) + 1);
        return result;
      });
    } catch (caught) {
      this.faults.push(`${key}: the put of ${String(number)} was answered with ${String(caught)}`);
      return;
    }
    const { version, epoch } = answered;
    record.onAcknowledged({ number, version, epoch, isDurable });
    this.#levels[ack]++;
  }

  async #read(random: SeededRandom): Promise<void> {
    while (!this.#isResting) {
      const { record } = random.pick(this.#keys);
      const [id, door] = random.pick([...this.#doors]);
      const floor = record.floor();
      const losses = this.#losses;
      try {
        const found = await door.get({ key: record.key, timeoutMs: readTimeoutMs });
        this.#reads++;
        if (losses !== this.#losses) continue;
        const fault = record.onRead(numberIn(found?.value ?? null), floor);
        if (fault !== null) this.faults.push(`member ${String(id)}: ${fault}`);
        await pause(this.#options.paceMs);
      } catch (caught) {
        if (!this.#isTrouble(caught)) {
          this.faults.push(`${record.key}: a read at member ${String(id)} met ${String(caught)}`);
        }
        await pause(pauseMs);
      }
    }
  }

  /** Asks one member after the other until one answers; rejects what is more than trouble. */
  async #insist<Result>(
    random: SeededRandom,
    ask: (door: Door, id: number) => Promise<Result>,
  ): Promise<Result> {
    for (;;) {
      const [id, door] = this.#choose(random);
      try {
        return await ask(door, id);
      } catch (caught) {
        if (!this.#isTrouble(caught)) throw caught;
        this.#avoided.set(id, performance.now() + avoidMs);
        await pause(pauseMs);
      }
    }
  }

  #choose(random: SeededRandom): readonly [id: number, door: Door] {
    const now = performance.now();
    const all = [...this.#doors];
    const fair = all.filter(([id]) => (this.#avoided.get(id) ?? 0) <= now);
    return random.pick(fair.length > 0 ? fair : all);
  }

  #isTrouble(caught: unknown): boolean {
    const { code } = toFreshetError(caught);
    this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1);
    return troubles.includes(code);
  }

  /** Asks on while the member is in trouble. */
  async #history(id: number, key: string): Promise<readonly Seen[]> {
    for (;;) {
      const history: Seen[] = [];
      try {
        for await (const { value, version, epoch } of this.#doors.get(id)!.history({ key })) {
          history.push({ number: numberIn(value), version, epoch });
        }
        return history;
      } catch (caught) {
        if (!this.#isTrouble(caught)) throw caught;
        await pause(pauseMs);
      }
    }
  }
}

/** 0: there is none. */
function numberIn(value: Uint8Array | null): number {
  return value === null ? 0 : Number.parseInt(Buffer.from(value).toString('latin1'), 10);
}
