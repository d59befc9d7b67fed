import {
  type Expectation,
  isFreshetError,
  type Logger,
  messageOf,
  type ObjectRecord,
  type SessionStamp,
} from '../../platform/base/mod.ts';
import type { ClusterShards } from '../../platform/store/cluster-shards.ts';
import type { ShardChange } from '../../platform/store/shard-access.ts';
import { answerKinds, putColumns, readLevels, type WorldAddon } from './world-addon.ts';
import type { Canary } from './world-canaries.ts';

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
}

/** What clients ask one process for, as its doors would for them: of any shard of the cluster. */
export class WorldCalls {
  readonly #options: WorldCallsOptions;
  readonly #columns = new Float64Array(Object.keys(putColumns).length);
  readonly #become = new Float64Array(4);

  constructor(options: WorldCallsOptions) {
    this.#options = options;
  }

  /**
   * `request`: shard << 6 | key << 2 | level. A canary gives what there is for what is stable.
   */
  read(id: number, request: number): void {
    const { shards, canary } = this.#options;
    const level = readLevels[request % 4] ?? 'local';
    const key = keyOf((request >> 2) % 16);
    const read = canary === 'early-stable' && level === 'stable' ? 'local' : level;
    const point = { key, read, version: null, exact: false, at: null, wantValue: true };
    const call = { timeoutMs: patienceMs, signal: null };
    this.#run(() => shards(Math.floor(request / 64)).read(point, call)).then(
      (found) => {
        this.#tellRead(id, found === null ? 'nothing' : 'found', found);
      },
      (caught: unknown) => {
        this.#note(caught);
        this.#tellRead(id, 'refused', null);
      },
    );
  }

  put(id: number): void {
    const { addon, shards } = this.#options;
    const value = addon.putOf(id, this.#columns);
    const change = changeOf(this.#columns, value);
    const shard = this.#columns[putColumns.shard] as number;
    this.#run(() => shards(shard).put(change, { timeoutMs: patienceMs, signal: null })).then(
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

  #tellRead(id: number, kind: keyof typeof answerKinds, found: ObjectRecord | null): void {
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
