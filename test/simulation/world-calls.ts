import {
  type Expectation,
  isFreshetError,
  type Logger,
  messageOf,
  type ObjectRecord,
  type PutResult,
  type ReadLevel,
  type SeededRandom,
  type SessionStamp,
} from '../../platform/base/mod.ts';
import type { ClusterShards } from '../../platform/store/cluster-shards.ts';
import {
  plainScan,
  type ScanPage,
  type ShardAccess,
  type ShardChange,
} from '../../platform/store/shard-access.ts';
import { answerKinds, putColumns, readLevels, type WorldAddon } from './world-addon.ts';
import type { Canary } from './world-canaries.ts';
import { passing } from './world-passing.ts';
import { WorldSurveys } from './world-surveys.ts';

/** As long as the world's clients wait. */
const patienceMs = 3000;

export interface WorldCallsOptions {
  readonly addon: WorldAddon;
  readonly shards: ClusterShards;
  readonly node: number;
  readonly canary: Canary;
  readonly log: Logger;
  /** False: the process has ended. */
  readonly isAlive: () => boolean;
  /** Of the surveys that go with some of the reads; null: there are none. */
  readonly surveys: SeededRandom | null;
}

/** A survey's shard may be taken away with its subgroup. */
const surveyPasses: ReadonlySet<string> = new Set([...passing, 'UNKNOWN_POOL']);

/** The newest of a key, by what the checkers ask for. */
type Found = Pick<ObjectRecord, 'version' | 'epoch' | 'value'>;

const call = Object.freeze({ timeoutMs: patienceMs, signal: null });

/** What clients ask one process for, as its doors would for them: of any shard of the cluster. */
export class WorldCalls {
  readonly #options: WorldCallsOptions;
  readonly #columns = new Float64Array(Object.keys(putColumns).length);
  readonly #become = new Float64Array(4);
  readonly #surveys: WorldSurveys | null;

  constructor(options: WorldCallsOptions) {
    this.#options = options;
    const { addon, surveys: random, canary } = options;
    const [endsEarly, pins] = [canary === 'short-history', canary !== 'unpinned-scan'];
    this.#surveys =
      random === null ? null : new WorldSurveys({ addon, random, call, endsEarly, pins });
  }

  /**
   * `request`: shard << 6 | key << 2 | level. A canary gives what there is for what is stable.
   */
  read(id: number, request: number): void {
    const { shards, canary } = this.#options;
    const level = readLevels[request % 4] ?? 'local';
    const key = keyOf((request >> 2) % 16);
    const read = canary === 'early-stable' && level === 'stable' ? 'local' : level;
    const look = id % 4 === 0 ? readByScan : readPoint;
    this.#run(async () => {
      const shard = shards(Math.floor(request / 64));
      if (id % 3 === 0) await this.#survey(shard, key);
      return look(shard, key, read);
    }).then(
      (found) => {
        this.#tellRead(id, found === null ? 'nothing' : 'found', found);
      },
      (caught: unknown) => {
        this.#note(caught);
        this.#tellRead(id, 'refused', null);
      },
    );
  }

  /** Before the read of a client, so that it is answered as well. */
  async #survey(shard: ShardAccess, key: string): Promise<void> {
    const { addon, isAlive } = this.#options;
    try {
      const wrong = (await this.#surveys?.run(shard, key)) ?? null;
      if (wrong !== null && isAlive()) addon.tellViolation(wrong);
    } catch (caught) {
      const code = isFreshetError(caught) ? caught.code : '';
      if (!surveyPasses.has(code) && isAlive())
        addon.tellViolation(`a survey: ${messageOf(caught)}`);
      this.#note(caught);
    }
  }

  put(id: number): void {
    const { addon, shards } = this.#options;
    const value = addon.putOf(id, this.#columns);
    const change = changeOf(this.#columns, value);
    const shard = this.#columns[putColumns.shard] as number;
    const put = id % 4 === 0 ? putOfMany : putOne;
    this.#run(() => put(shards(shard), change)).then(
      ({ version, epoch, time, previousVersionOfKey }) => {
        this.#become.set([version, epoch, time, previousVersionOfKey ?? 0]);
        this.#tellPut(id, 0);
      },
      (caught: unknown) => {
        this.#note(caught);
        this.#tellPut(id, statusOf(addon, isFreshetError(caught) ? caught.code : ''));
      },
    );
  }

  /** What is thrown at once is an answer too. */
  async #run<Result>(call: () => Promise<Result>): Promise<Result> {
    return call();
  }

  #tellRead(id: number, kind: keyof typeof answerKinds, found: Found | null): void {
    const { addon, node, isAlive } = this.#options;
    const { version = 0, epoch = 0, value = null } = found ?? {};
    if (isAlive()) addon.tellRead(node, id, answerKinds[kind], version, epoch, value);
  }

  #tellPut(id: number, status: number): void {
    const { addon, node, isAlive } = this.#options;
    if (isAlive()) addon.tellPut(node, id, status, this.#become);
  }

  #note(caught: unknown): void {
    this.#options.log.info(messageOf(caught));
  }
}

function readPoint(shard: ShardAccess, key: string, read: ReadLevel): Promise<Found | null> {
  const point = { key, read, version: null, exact: false, at: null, wantValue: true };
  return shard.read(point, call);
}

/** The first of what begins with the key is the key's own, if it has any. */
async function readByScan(shard: ShardAccess, key: string, read: ReadLevel): Promise<Found | null> {
  const wanted = { kind: 'objects', prefix: key, wantValues: true, limit: 1 } as const;
  const scan = { ...plainScan, ...wanted, read };
  let resume: Uint8Array | null = null;
  do {
    const page: ScanPage = await shard.scan(scan, resume, call);
    const [record] = page.records;
    if (record !== undefined) {
      const { head, value } = record;
      const { version, epoch } = head;
      return record.key === key ? { version, epoch, value } : null;
    }
    ({ resume } = page);
  } while (resume !== null);
  return null;
}

function putOne(shard: ShardAccess, change: ShardChange): Promise<PutResult> {
  return shard.put(change, call);
}

async function putOfMany(shard: ShardAccess, change: ShardChange): Promise<PutResult> {
  const [outcome] = await shard.putMany([change], call);
  if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error('no outcome');
  return outcome;
}

/** What has no number there says nothing about its effect either. */
export function statusOf({ statusNames }: WorldAddon, code: string): number {
  const status = statusNames.indexOf(code);
  return status > 0 ? status : statusNames.indexOf('SHARD_STOPPED');
}

const keyOf = (key: number): string => `key/${String(key)}`;

/** Its meta names the value, for the checkers. */
function changeOf(columns: Float64Array, value: Buffer): ShardChange {
  const column = (name: keyof typeof putColumns): number => columns[putColumns[name]] as number;
  const meta = Buffer.alloc(8);
  meta.writeBigUInt64LE(BigInt(column('value')));
  return {
    kind: 'put',
    pool: column('pool'),
    key: keyOf(column('key')),
    value,
    meta,
    ack: column('persisted') === 1 ? 'persisted' : 'delivered',
    expect: expectationOf(column('expectVersionOfKey'), column('expectEpoch')),
    eventTime: null,
    session: stampOf(column('session'), column('request'), column('lowestUnanswered')),
  };
}

function expectationOf(versionOfKey: number, epoch: number): Expectation | null {
  if (versionOfKey === 0) return null;
  return epoch === 0 ? { versionOfKey } : { versionOfKey, epoch };
}

function stampOf(session: number, request: number, lowestUnanswered: number): SessionStamp | null {
  return session === 0 ? null : { session, request, lowestUnanswered };
}
