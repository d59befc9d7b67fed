import { isFreshetError } from '../../../platform/base/mod.ts';
import {
  type BooleanExpression,
  type Expression,
  parseTree,
  type Projected,
  record,
  type Recorded,
  type StoredObject,
} from '../../../platform/expression/mod.ts';
import { describe, expect, expectTypeOf, it } from 'vitest';

interface Yield {
  litres: number;
  cow: string;
  sold: boolean;
  note?: string;
  weight: number | null;
  length: number;
  tags: string[];
  herd: { name: string; size: number };
}
type Row = StoredObject<Yield>;
type RecordedRow = Recorded<Row>;

const recorded = (lambda: (o: RecordedRow) => Parameters<typeof Object.is>[0]) =>
  record<Row, Expression<unknown>>(lambda as (o: RecordedRow) => Expression<unknown>, 'stored');
const refused = (lambda: (o: RecordedRow) => unknown): string => {
  try {
    record<Row, Expression<unknown>>(lambda as (o: RecordedRow) => Expression<unknown>, 'stored');
  } catch (caught) {
    expect(isFreshetError(caught, 'INVALID_QUERY')).toBe(true);
    return String(caught);
  }
  return 'was not refused';
};

/* eslint-disable @typescript-eslint/no-unnecessary-condition,
   @typescript-eslint/no-base-to-string -- what the linter finds is what the recorder must refuse */
describe('record', () => {
  it("records the lecture's condition", () => {
    const tree = record<Row, BooleanExpression>((o) => o.key.endsWith('/cow_128'), 'stored');
    expect(tree).toEqual({
      v: 1,
      body: {
        op: 'endsWith',
        args: [
          { op: 'field', of: null, path: ['key'] },
          { op: 'const', value: '/cow_128' },
        ],
      },
    });
    expect(parseTree(JSON.parse(JSON.stringify(tree)), 'stored')).toEqual(tree);
  });

  it('records arithmetic, nested fields, lists and projections', () => {
    const limit = 30;
    const tree = record<Row, Expression<unknown>>(
      (o) => o.value.litres.mul(1.1).gt(limit),
      'stored',
    );
    expect(tree.body).toMatchObject({ op: 'gt', args: [{ op: 'mul' }, { value: 30 }] });
    const made = record((o: RecordedRow) => ({
      herd: o.value.herd.name,
      first: [o.value.tags.at(0), 1],
    }));
    expect(made.body).toEqual({
      op: 'record',
      fields: {
        herd: { op: 'field', of: null, path: ['value', 'herd', 'name'] },
        first: {
          op: 'list',
          items: [
            {
              op: 'at',
              args: [
                { op: 'field', of: null, path: ['value', 'tags'] },
                { op: 'const', value: 0 },
              ],
            },
            { op: 'const', value: 1 },
          ],
        },
      },
    });
  });

  it('takes a name for a field until it is called', () => {
    expect(recorded((o) => o.value.length.gt(5)).body).toMatchObject({
      op: 'gt',
      args: [{ path: ['value', 'length'] }, { value: 5 }],
    });
    expect(recorded((o) => o.value.cow.length().gt(5)).body).toMatchObject({
      op: 'gt',
      args: [{ op: 'length', args: [{ path: ['value', 'cow'] }] }, { value: 5 }],
    });
  });

  it('reads a map by name', () => {
    expect(recorded((o) => o.meta.get('content-type').eq('image/jpeg')).body).toMatchObject({
      args: [{ op: 'field', of: null, path: ['meta', 'content-type'] }, {}],
    });
    expect(refused((o) => o.meta.get(o.key as unknown as string))).toContain('no method get()');
  });

  it('allows a plain decision about what to record', () => {
    const wanted: number | null = 3;
    const tree = recorded((o) => {
      const isCow = o.key.endsWith('x');
      return wanted === null ? isCow : isCow.and(o.version.gte(wanted));
    });
    expect(tree.body.op).toBe('and');
  });

  it('does not lose a part that was taken for a plain value', () => {
    expect(refused((o) => (o.value.sold ? o.version.gt(1) : o.version.lt(1)))).toContain(
      'o.value.sold',
    );
    expect(refused((o) => o.value.sold && o.version.gt(1))).toContain('o.value.sold');
    expect(refused((o) => o.value.sold || o.version.gt(1))).toContain('||');
    expect(refused((o) => o.eventTime ?? o.time)).toContain('??');
    expect(refused((o) => !o.value.sold)).toContain('plain boolean');
    expect(refused((o) => o.key.eq('x').and((o.version as unknown) === 5))).toContain('o.version');
    expect(recorded((o) => o.value.cow.eq('a || b ?? c')).body.op).toBe('eq');
  });

  it('names what cannot be recorded, and the way out', () => {
    const plain = (value: unknown): number => value as number;
    expect(refused((o) => plain(o.version) > 5)).toContain('o.version is used as a plain value');
    expect(refused((o) => `${String(o.key)}x`)).toContain('o.key');
    expect(refused((o) => plain(o.value.litres) + 1)).toContain('o.value.litres');
    expect(refused((o) => (o.key as unknown as string).toUpperCase())).toContain('toUpperCase()');
    expect(
      refused((o) => (o.key as unknown as { endWith(x: string): unknown }).endWith('a')),
    ).toContain('did you mean endsWith()');
    expect(refused((o) => ({ ...o.value }))).toContain('spread');
    expect(refused((o) => [...(o.value.tags as unknown as string[])])).toContain('iterated');
    expect(refused((o) => 'litres' in o.value)).toContain("'in'");
    expect(refused((o) => (o as unknown as { ky: unknown }).ky)).toContain('Did you mean "key"');
    expect(refused((o) => (o.key as unknown as { size: unknown }).size)).toContain('o.key.size');
    expect(refused((o) => o.time.gt(new Date() as unknown as number))).toContain('A Date');
    expect(refused((o) => o.time.gt(NaN))).toContain('NaN');
    expect(refused((o) => o.key.eq('\ud800'))).toContain('surrogate');
    expect(refused(() => undefined)).toContain('undefined');
    expect(refused(() => Promise.resolve(1))).toContain('Promise');
    expect(refused((o) => plain(o.version) > 5)).toContain('.local()');
  });

  it('refuses a part of another lambda', () => {
    expect(
      refused((outer) => {
        record((o: RecordedRow) => o.version.eq(outer.version));
        return outer.version;
      }),
    ).toContain('another lambda');
  });

  it('refuses a tree over its limits', () => {
    const deep = (o: RecordedRow): unknown => {
      let part = o.version.add(0);
      for (let i = 0; i < 100; i++) {
        part = part.add(1);
      }
      return part.gt(1);
    };
    expect(refused(deep)).toContain('deeper');
    const wide = (o: RecordedRow): unknown =>
      o.version.eq(0).or(...Array.from({ length: 400 }, (_, i) => o.version.eq(i)));
    expect(refused(wide)).toContain('more than 1024 nodes');
  });
});

/* eslint-enable */

/* eslint-disable @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-member-access -- lines that must not compile have no types */
describe('types of a recorded lambda', () => {
  const condition = (_: (o: RecordedRow) => Expression<boolean>): void => undefined;
  it('lets the right ones through', () => {
    condition((o) => o.key.endsWith('x'));
    condition((o) => o.value.note.eq('x'));
    condition((o) => o.value.weight.mul(2).gt(o.value.litres));
    condition((o) => o.eventTime.isNotNull());
    condition((o) => o.value.sold);
    condition((o) => o.meta.get('type').eq('image/jpeg'));
    condition((o) => o.value.tags.includes('calm'));
    condition((o) => o.time.between(1, 2));
    expect(true).toBe(true);
  });

  it('does not compile a wrong one', () => {
    // @ts-expect-error a number is not compared with a text
    condition((o) => o.version.gt('5'));
    // @ts-expect-error a text has no arithmetic
    condition((o) => o.key.add(1));
    // @ts-expect-error plain operators do not fit a recorded part
    condition((o) => o.version > 5);
    // @ts-expect-error there is no such field
    condition((o) => o.value.liters.gt(5));
    // @ts-expect-error a plain boolean is not recorded
    condition(() => true);
    // @ts-expect-error a number is not a condition
    condition((o) => o.value.litres);
    // @ts-expect-error a boolean has no order
    condition((o) => o.value.sold.gt(true));
    // @ts-expect-error a list of texts holds no number
    condition((o) => o.value.tags.includes(5));
    expect(true).toBe(true);
  });

  it('gives the type of a projection', () => {
    const made = <T>() => ({ of: <R>(_: (o: Recorded<T>) => R): Projected<R>[] => [] });
    const row = made<Row>();
    expectTypeOf(row.of((o) => o)).toEqualTypeOf<Row[]>();
    expectTypeOf(row.of((o) => o.value.litres.div(2))).toEqualTypeOf<(number | null)[]>();
    const parts = row.of((o) => ({
      at: o.eventTime,
      litres: o.value.litres,
      note: o.value.note,
      one: 1 as const,
    }));
    expectTypeOf(parts).toEqualTypeOf<
      { at: number | null; litres: number; note: string | null; one: 1 }[]
    >();
    expectTypeOf(made<StoredObject<unknown>>().of((o) => o.value)).toEqualTypeOf<unknown[]>();
  });
});
