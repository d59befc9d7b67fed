import {
  evaluate,
  type Expression,
  type ExpressionNode,
  type Projection,
  record,
  type Recorded,
} from '../../../platform/expression/mod.ts';
import { describe, expect, it } from 'vitest';

interface Sample {
  n: number;
  m: number | null;
  s: string;
  t: string | null;
  yes: boolean;
  maybe: boolean | null;
  list: number[];
  inner: { n: number } | null;
}
const sample: Sample = {
  n: 6,
  m: null,
  s: 'cow_128',
  t: null,
  yes: true,
  maybe: null,
  list: [1, 2, 3],
  inner: null,
};
const give = <R extends Projection>(lambda: (o: Recorded<Sample>) => R): unknown =>
  evaluate(record<Sample, R>(lambda), sample);

describe('evaluate', () => {
  it('makes every comparison with an absent value false, and ne true', () => {
    for (const op of ['eq', 'lt', 'lte', 'gt', 'gte'] as const) {
      expect(give((o) => o.m[op](5))).toBe(false);
      expect(give((o) => o.n[op](o.m))).toBe(false);
    }
    expect(give((o) => o.m.ne(5))).toBe(true);
    expect(give((o) => o.m.ne(o.m))).toBe(true);
    expect(give((o) => o.m.eq(o.m))).toBe(false);
    expect(give((o) => o.m.between(0, 9))).toBe(false);
    expect(give((o) => o.t.startsWith(''))).toBe(false);
    expect(give((o) => o.m.isNull())).toBe(true);
    expect(give((o) => o.inner.n.isNull())).toBe(true);
    expect(give((o) => o.n.isNotNull())).toBe(true);
  });

  it('counts only true as true', () => {
    expect(give((o) => o.maybe.and(true))).toBe(false);
    expect(give((o) => o.maybe.or(o.yes))).toBe(true);
    expect(give((o) => o.maybe.not())).toBe(true);
    expect(give((o) => o.yes.eq(true))).toBe(true);
  });

  it('calculates, and calls what is not finite absent', () => {
    expect(give((o) => o.n.mul(2).sub(2).div(5).add(1))).toBe(3);
    expect(give((o) => o.n.div(0))).toBe(null);
    expect(give((o) => o.n.mul(1e308).mul(10))).toBe(null);
    expect(give((o) => o.m.add(1))).toBe(null);
    expect(give((o) => o.m.orElse(7).add(1))).toBe(8);
    expect(give((o) => o.s.length())).toBe(7);
  });

  it('looks into texts and lists', () => {
    expect(give((o) => o.s.includes('w_1'))).toBe(true);
    expect(give((o) => o.s.endsWith('_128'))).toBe(true);
    expect(give((o) => o.list.includes(2))).toBe(true);
    expect(give((o) => o.list.includes(9))).toBe(false);
    expect(give((o) => o.list.at(-1))).toBe(3);
    expect(give((o) => o.list.at(3))).toBe(null);
    expect(give((o) => o.list.at(0.5))).toBe(null);
    expect(give((o) => o.list.length())).toBe(3);
  });

  it('projects', () => {
    expect(give((o) => ({ a: o.n, b: [o.s, 1], c: { d: o.inner } }))).toEqual({
      a: 6,
      b: ['cow_128', 1],
      c: { d: null },
    });
    expect(give((o) => o)).toBe(sample);
  });

  it('reads own fields only', () => {
    const path = (...names: string[]): ExpressionNode => ({ op: 'field', of: null, path: names });
    expect(evaluate({ v: 1, body: path('constructor') }, {})).toBe(null);
    expect(evaluate({ v: 1, body: path('list', 'length') }, sample)).toBe(null);
    expect(evaluate({ v: 1, body: path('s', 'length') }, sample)).toBe(null);
    expect(evaluate({ v: 1, body: path('a') }, { a: Infinity })).toBe(null);
    expect(evaluate({ v: 1, body: path('a') }, undefined)).toBe(null);
  });

  it('does not compare two types', () => {
    const loose = (o: Recorded<Sample>) => o.n as unknown as Recorded<string>;
    expect(give((o) => loose(o).eq('6'))).toBe(false);
    expect(give((o) => loose(o).ne('6'))).toBe(true);
    expect(give((o) => loose(o).lt('7') as Expression<boolean>)).toBe(false);
  });
});
