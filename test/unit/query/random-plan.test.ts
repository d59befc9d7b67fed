import {
  evaluate,
  type ExpressionNode,
  type ExpressionTree,
} from '../../../platform/expression/mod.ts';
import {
  type Cut,
  localShards,
  parsePlan,
  parseShardPlan,
  type PlanOperator,
  planQuery,
  QueryEngine,
  type QueryPlan,
  type ShardRunner,
} from '../../../platform/query/mod.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyValue, condition, smallText } from '../expression/arbitraries.ts';
import { type LogRecord, logRecord, MemorySource } from './memory-source.ts';

/** Sends every shard plan as JSON, as another member would get it. */
function overTheWire(runner: ShardRunner): ShardRunner {
  return {
    shards: (pool) => runner.shards(pool),
    run: (shard, plan, signal) =>
      runner.run(shard, parseShardPlan(JSON.parse(JSON.stringify(plan))), signal),
  };
}

const pool = '/p';

const put = fc.record({
  shard: fc.nat(2),
  key: fc.oneof(
    { weight: 6, arbitrary: smallText.map((text) => `/p/${text}`) },
    { weight: 1, arbitrary: smallText.map((text) => `/pp/${text}`) },
  ),
  value: fc.option(anyValue, { nil: undefined, freq: 2 }),
  isSameVersion: fc.boolean(),
  timeStep: fc.integer({ min: 1, max: 3 }),
  eventTime: fc.option(fc.integer({ min: 0, max: 40 })),
  meta: fc.option(fc.dictionary(fc.constantFrom('a', 'b'), smallText)),
});

/** Logs of three shards. A key stays in one shard; a version may hold several keys. */
const logs = fc.array(put, { maxLength: 40 }).map((puts): readonly (readonly LogRecord[])[] => {
  const shards: LogRecord[][] = [[], [], []];
  for (const one of puts) {
    const home = Buffer.from(one.key).reduce((sum, byte) => sum + byte, 0) % 3;
    const shard = shards[home] as LogRecord[];
    const last = shard.at(-1);
    const sharers = shard.filter(({ version }) => version === last?.version);
    const isSame = one.isSameVersion && !sharers.some(({ key }) => key === one.key);
    const version = last === undefined ? 1 : last.version + (isSame ? 0 : 1);
    const time = last === undefined ? 1 : last.time + (isSame ? 0 : one.timeStep);
    const before = shard.filter(({ key }) => key === one.key).at(-1);
    const { key, eventTime, meta } = one;
    const previousVersionOfKey = before?.version ?? null;
    shard.push(logRecord({ key, version, time, eventTime, meta, previousVersionOfKey }, one.value));
  }
  return shards;
});

const path = (...names: string[]): ExpressionNode => ({ op: 'field', of: null, path: names });
const tree = (body: ExpressionNode): ExpressionTree => ({ v: 1, body });
const orderingKey = fc
  .constantFrom(
    ['version'],
    ['version'],
    ['time'],
    ['key'],
    ['key'],
    ['eventTime'],
    ['size'],
    ['value', 'n'],
    ['value', 's'],
    ['value', 'flag'],
    ['value', 'tags'],
    [],
  )
  .map((names) => tree(path(...names)));
const projection = fc.constantFrom(
  tree({
    op: 'record',
    fields: { version: path('version'), key: path('key'), value: path('value') },
  }),
  tree({
    op: 'record',
    fields: {
      time: { op: 'mul', args: [path('time'), { op: 'const', value: 2 }] },
      key: path('value', 's'),
      value: { op: 'orElse', args: [path('value', 'inner'), path('value')] },
    },
  }),
  tree(path()),
  tree(path('value')),
  tree(path('version')),
);

const operator: fc.Arbitrary<PlanOperator> = fc.oneof(
  {
    weight: 2,
    arbitrary: condition.map((body) => ({ op: 'where', predicate: tree(body) }) as const),
  },
  { weight: 1, arbitrary: projection.map((made) => ({ op: 'select', projection: made }) as const) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('orderBy' as const, 'thenBy' as const), orderingKey, fc.boolean())
      .map(([op, key, descending]) => ({ op, key, descending })),
  },
  { weight: 2, arbitrary: fc.constant({ op: 'reverse' } as const) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('take' as const, 'skip' as const), fc.nat(6))
      .map(([op, count]) => ({ op, count })),
  },
);
const operators = fc
  .tuple(fc.array(operator, { maxLength: 7 }), fc.boolean())
  .map(([list, counts]): PlanOperator[] => {
    const kept: PlanOperator[] = [];
    for (const one of list) {
      if (one.op !== 'thenBy' || isSort(kept.at(-1))) {
        kept.push(one);
      }
    }
    return counts ? [...kept, { op: 'count' }] : kept;
  });

function isSort(found: PlanOperator | undefined): boolean {
  return found?.op === 'orderBy' || found?.op === 'thenBy';
}

const plan: fc.Arbitrary<QueryPlan> = fc
  .record({
    kind: fc.constantFrom(
      'versions' as const,
      'versions' as const,
      'objects' as const,
      'keys' as const,
    ),
    at: fc.option(
      fc.oneof(
        fc.nat(15).map((version): Cut => ({ version })),
        fc.nat(40).map((time): Cut => ({ time })),
      ),
    ),
    axis: fc.constantFrom('commit' as const, 'event' as const),
    operators,
  })
  .map(({ kind, at, axis, operators: list }) => ({
    v: 1,
    source: { pool, kind, at, axis },
    operators: list,
  }));

/** The meaning of a plan, with arrays alone. */
function naive(
  logsOfShards: readonly (readonly LogRecord[])[],
  { source, operators: list }: QueryPlan,
) {
  let rows = startOf(logsOfShards, source);
  for (const [i, one] of list.entries()) {
    switch (one.op) {
      case 'where':
        rows = rows.filter((row) => evaluate(one.predicate, row) === true);
        break;
      case 'select':
        rows = rows.map((row) => evaluate(one.projection, row));
        break;
      case 'orderBy': {
        const end = list.findIndex(({ op }, at) => at > i && op !== 'thenBy');
        const group = list.slice(i, end === -1 ? undefined : end);
        // The last key first: every sort is stable.
        for (const sort of group.reverse()) {
          if (sort.op === 'orderBy' || sort.op === 'thenBy') {
            const sign = sort.descending ? -1 : 1;
            rows = rows.toSorted(
              (a, b) => sign * byRank(evaluate(sort.key, a), evaluate(sort.key, b)),
            );
          }
        }
        break;
      }
      case 'reverse':
        rows = rows.toReversed();
        break;
      case 'take':
        rows = rows.slice(0, one.count);
        break;
      case 'skip':
        rows = rows.slice(one.count);
        break;
      case 'count':
        return [rows.length];
      case 'thenBy':
        break;
    }
  }
  return rows;
}

function startOf(
  logsOfShards: readonly (readonly LogRecord[])[],
  { kind, at, axis }: QueryPlan['source'],
): unknown[] {
  const timeOf = (r: LogRecord): number => (axis === 'event' ? (r.eventTime ?? r.time) : r.time);
  const isIn = (r: LogRecord): boolean =>
    r.key.startsWith('/p/') &&
    (at === null || ('version' in at ? r.version <= at.version : timeOf(r) <= at.time));
  const all = logsOfShards.flatMap((log, shard) =>
    log.filter(isIn).map((record) => ({ record, shard })),
  );
  const isNewest = ({ key, version, ...rest }: LogRecord): boolean => {
    const time = timeOf({ key, version, ...rest });
    return !all.some(
      ({ record: r }) =>
        r.key === key && (timeOf(r) > time || (timeOf(r) === time && r.version > version)),
    );
  };
  const utf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return all
    .filter(({ record }) => !record.removed && (kind === 'versions' || isNewest(record)))
    .sort((a, b) =>
      kind === 'versions'
        ? a.record.version - b.record.version ||
          a.shard - b.shard ||
          utf8(a.record.key, b.record.key)
        : utf8(a.record.key, b.record.key),
    )
    .map(({ record }) =>
      kind === 'keys'
        ? record.key
        : {
            key: record.key,
            value: JSON.parse(Buffer.from(record.value ?? []).toString()) as unknown,
            version: record.version,
            epoch: 1,
            time: record.time,
            eventTime: record.eventTime,
            previousVersion: record.version === 1 ? null : record.version - 1,
            previousVersionOfKey: record.previousVersionOfKey,
            size: record.size,
            meta: record.meta ?? {},
          },
    );
}

function byRank(a: unknown, b: unknown): number {
  const kinds = ['boolean', 'number', 'string'];
  const kind = (value: unknown): number => kinds.indexOf(typeof value);
  if (kind(a) !== kind(b)) {
    return kind(a) - kind(b);
  }
  if (typeof a === 'string' && typeof b === 'string') {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return kind(a) === -1 ? 0 : Number(a) - Number(b);
}

describe('a random plan over random data', () => {
  it('gives what plain arrays give', async () => {
    const seen = { programs: 0, limits: 0, reverse: 0, rest: 0, rows: 0 };
    await fc.assert(
      fc.asyncProperty(
        logs,
        plan,
        fc.record({
          batchSize: fc.integer({ min: 1, max: 5 }),
          limitCountsRemovals: fc.boolean(),
          honoursFromTime: fc.boolean(),
        }),
        async (shards, drawn, options) => {
          const source = new MemorySource(shards, options);
          const engine = new QueryEngine({
            shards: overTheWire(localShards(source)),
            valueKindOf: () => 'json',
          });
          const sent = parsePlan(JSON.parse(JSON.stringify(drawn)));
          const given: unknown[] = [];
          for await (const batch of engine.run(sent, new AbortController().signal)) {
            given.push(...batch);
          }
          expect(given).toEqual(naive(shards, drawn));
          expect(source.open).toBe(0);
          seen.rows += given.length;
          seen.rest += planQuery(sent, 'json').merge.rest.length > 0 ? 1 : 0;
          for (const request of source.requests) {
            seen.programs += request.program === null ? 0 : 1;
            seen.limits += request.limit === null ? 0 : 1;
            seen.reverse += request.reverse ? 1 : 0;
          }
        },
      ),
      { numRuns: 1500 },
    );
    // The draw reaches what it is to test.
    for (const count of Object.values(seen)) {
      expect(count).toBeGreaterThan(50);
    }
  }, 120_000);
});
