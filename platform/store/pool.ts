import { Type } from 'typebox';
import type * as base from '../base/mod.ts';
import { checkPoolName, FreshetError, isFreshetError, limits, parseConfig } from '../base/mod.ts';
import type { Layout, Subgroup } from '../group/mod.ts';
import type { ShardChange } from './shard-access.ts';

export interface Retention {
  /** Bytes of the pool that are kept; null: no bound. */
  readonly bytes: number | null;
  readonly ageMs: number | null;
}

/** What a pool may have beyond what every door offers. */
export interface PoolOptions extends base.PoolOptions {
  readonly retention?: Retention | null;
  /** Key → place of its shard within the subgroup, where the hash is not wanted. */
  readonly locations?: Readonly<Record<string, number>>;
}

/** What the catalog keeps of a pool. */
export type PoolRecord = Required<PoolOptions>;

export type PoolInfo = base.PoolInfo & PoolRecord;

const PoolSchema = Type.Object({
  name: Type.String(),
  kind: Type.Union([Type.Literal('volatile'), Type.Literal('persistent'), Type.Literal('trigger')]),
  history: Type.Integer({ minimum: 0, maximum: limits.historyMax, default: limits.historyDefault }),
  maxValueBytes: Type.Integer({
    minimum: 0,
    maximum: limits.valueBytesMax,
    default: limits.valueBytesDefault,
  }),
  timeAxis: Type.Union([Type.Literal('commit'), Type.Literal('event')], { default: 'commit' }),
  schema: Type.Union([Type.Literal('json'), Type.Literal('msgpack'), Type.Literal('raw')], {
    default: 'json',
  }),
  subgroup: Type.String(),
  retention: Type.Union(
    [
      Type.Null(),
      Type.Object({
        bytes: Type.Union([Type.Null(), Type.Integer({ minimum: 0 })]),
        ageMs: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })]),
      }),
    ],
    { default: null },
  ),
  locations: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), { default: {} }),
});

/** Fills in defaults and checks everything. Throws INVALID_POOL (or INVALID_KEY for the name). */
export function compilePoolOptions(options: PoolOptions, layout: Layout): PoolRecord {
  checkPoolName(options.name);
  const said: [string, unknown][] = Object.entries({ subgroup: options.kind, ...options });
  const given = Object.fromEntries(said.filter(([, value]) => value !== undefined));
  const record = parse(given, options.name);
  const subgroup = layout.subgroup(record.subgroup);
  if (subgroup.kind !== record.kind || isCatalog(subgroup)) {
    const { name, kind } = record;
    const fitting = layout.subgroups.filter((other) => other.kind === kind && !isCatalog(other));
    const where = isCatalog(subgroup) ? 'subgroup' : `${subgroup.kind} subgroup`;
    throw new FreshetError(
      'INVALID_POOL',
      `The ${kind} pool ${name} cannot lie in the ${where} ${subgroup.name}`,
      { mend: `Name one of ${fitting.map((other) => other.name).join(', ')}, or none` },
    );
  }
  checkLocations(record, subgroup);
  return record;
}

/** What a shard has to know of a pool. */
export type PoolRules = Pick<PoolRecord, 'kind' | 'history' | 'maxValueBytes' | 'timeAxis'>;

/** Gives a shard the rules of a pool; the same again does no harm. */
export function rulesChange(id: number, pool: PoolRules, closed: boolean): ShardChange {
  return {
    kind: 'control',
    pool: 0,
    key: `pool/${String(id)}`,
    value: encodePoolRules(id, pool, closed),
    meta: null,
    ack: 'delivered',
    expect: null,
    eventTime: null,
    session: null,
  };
}

export function samePool(a: PoolRecord, b: PoolRecord): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

const poolRulesSize = 24;

/** The native rules of a pool (PoolRules of native/core/store/store.h), 24 bytes. */
function encodePoolRules(id: number, pool: PoolRules, closed: boolean): Uint8Array {
  const rules = Buffer.alloc(poolRulesSize);
  rules.writeUInt32LE(id, 0);
  rules.writeUInt32LE(pool.kind === 'volatile' ? pool.history : 0, 4);
  rules.writeBigUInt64LE(BigInt(pool.maxValueBytes), 8);
  rules.writeUInt8(pool.timeAxis === 'event' ? 1 : 0, 16);
  rules.writeUInt8(pool.kind === 'trigger' ? 1 : 0, 17);
  rules.writeUInt8(closed ? 1 : 0, 18);
  return rules;
}

function parse(given: Record<string, unknown>, name: string): PoolRecord {
  try {
    return parseConfig(PoolSchema, given, { source: `the options of pool ${name}` });
  } catch (caught) {
    if (isFreshetError(caught, 'INVALID_CONFIG')) {
      throw new FreshetError('INVALID_POOL', caught.message, { details: caught.details });
    }
    throw caught;
  }
}

function checkLocations({ name, locations }: PoolRecord, subgroup: Subgroup): void {
  for (const [key, place] of Object.entries(locations)) {
    if (!key.startsWith(`${name}/`) || place >= subgroup.shards.length) {
      const most = String(subgroup.shards.length - 1);
      throw new FreshetError(
        'INVALID_POOL',
        `locations of pool ${name} sends ${key} to place ${String(place)}`,
        { mend: `Name keys of the pool and places from 0 to ${most}` },
      );
    }
  }
}

function isCatalog(subgroup: Subgroup): boolean {
  return subgroup.name === 'catalog';
}

function sorted(record: PoolRecord): unknown {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
