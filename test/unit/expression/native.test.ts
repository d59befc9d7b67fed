import { isFreshetError } from '../../../platform/base/mod.ts';
import {
  boundsOf,
  compileNative,
  compilePredicate,
  compose,
  encodeNative,
  evaluate,
  type ExpressionNode,
  type ExpressionTree,
  nativeFilter,
  type NativeInstruction,
  nativeLimits,
  parseTree,
  record,
  type RecordedObject,
  type StoredObject,
  verifyNative,
} from '../../../platform/expression/mod.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { condition, storedObject } from './arbitraries.ts';

const tree = (body: ExpressionNode): ExpressionTree => ({ v: 1, body });
type Row = StoredObject<{ litres: number }>;
const recorded = (lambda: (o: RecordedObject<{ litres: number }>) => never): ExpressionTree =>
  record<Row, never>(lambda, 'stored');
const where = (lambda: (o: RecordedObject<{ litres: number }>) => unknown): ExpressionTree =>
  recorded(lambda as (o: RecordedObject<{ litres: number }>) => never);
const reasonOf = (program: Uint8Array): string => {
  try {
    verifyNative(program);
  } catch (caught) {
    expect(isFreshetError(caught, 'INVALID_QUERY')).toBe(true);
    return String(caught);
  }
  return 'was accepted';
};

describe('compileNative', () => {
  it("writes the lecture's condition as these bytes", () => {
    const { program, residue } = compileNative(where((o) => o.key.endsWith('/cow_128')));
    expect(residue).toBe(null);
    expect(Buffer.from(program ?? []).toString('hex')).toBe(
      `0100` + `030800${Buffer.from('/cow_128').toString('hex')}` + `17`,
    );
  });

  it('splits a conjunction, and keeps or whole', () => {
    const split = compileNative(
      where((o) => o.version.gt(3).and(o.value.litres.gt(5), o.key.startsWith('/a'))),
    );
    expect(verifyNative(split.program ?? new Uint8Array()).map(({ op }) => op)).toEqual([
      'pushField',
      'pushNumber',
      'gt',
      'pushField',
      'pushText',
      'startsWith',
      'and',
    ]);
    expect(split.residue?.body).toMatchObject({ op: 'and', args: [{ op: 'gt' }] });
    const either = compileNative(where((o) => o.version.gt(3).or(o.value.litres.gt(5))));
    expect(either.program).toBe(null);
    expect(either.residue).not.toBe(null);
  });

  it('decides with the residue what a filter alone decides (random conditions and objects)', () => {
    let native = 0;
    fc.assert(
      fc.property(
        condition,
        fc.array(storedObject, { minLength: 1, maxLength: 8 }),
        (body, objects) => {
          const whole = compilePredicate(tree(body));
          const { program, residue } = compileNative(parseTree(tree(body), 'stored'));
          const filter = program === null ? () => true : nativeFilter(program);
          const rest = residue === null ? () => true : compilePredicate(residue);
          native += program === null ? 0 : 1;
          for (const object of objects) {
            expect(filter(object) && rest(object)).toBe(whole(object));
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(native).toBeGreaterThan(500);
  });

  it('leaves to the residue what does not fit', () => {
    const long = 'x'.repeat(3000);
    const split = compileNative(where((o) => o.key.includes(long).and(o.key.endsWith(`${long}y`))));
    expect(split.program?.length).toBeLessThanOrEqual(nativeLimits.programBytes);
    expect(split.residue).not.toBe(null);
    let nested: ExpressionNode = { op: 'gt', args: [field('version'), { op: 'const', value: 1 }] };
    for (let i = 0; i < 20; i++) {
      nested = { op: i % 2 === 0 ? 'or' : 'and', args: [field('x'), nested] };
      nested = { op: 'not', args: [nested] };
    }
    expect(compileNative(tree(nested)).program).toBe(null);
    const wide = where((o) =>
      o.version.eq(1).or(...Array.from({ length: 100 }, (_, i) => o.version.eq(i))),
    );
    expect(verifyNative(compileNative(wide).program ?? new Uint8Array()).length).toBe(101 * 4 - 1);
  });
});

const field = (...path: string[]): ExpressionNode => ({ op: 'field', of: null, path });

describe('verifyNative', () => {
  it('refuses what could fail later, with the byte', () => {
    const [push, key, eq]: NativeInstruction[] = [
      { op: 'pushNumber', value: 1 },
      { op: 'pushField', field: 'key' },
      { op: 'eq' },
    ];
    const program = (...list: (NativeInstruction | undefined)[]) =>
      encodeNative(list.filter((one) => one !== undefined));
    expect(reasonOf(program(push, push, eq))).toBe('was accepted');
    expect(reasonOf(new Uint8Array())).toContain('0 bytes');
    expect(reasonOf(new Uint8Array(nativeLimits.programBytes + 1))).toContain('allowed');
    expect(reasonOf(Uint8Array.of(0x7f))).toContain('opcode 127 (at byte 0)');
    expect(reasonOf(Uint8Array.of(1, 5))).toContain('field 5');
    expect(reasonOf(Uint8Array.of(1))).toContain('within an instruction');
    expect(reasonOf(Uint8Array.of(2, 0, 0))).toContain('within an instruction');
    expect(reasonOf(Uint8Array.of(3, 9, 0, 65))).toContain('within an instruction');
    expect(reasonOf(Uint8Array.of(3, 1, 0, 0xff))).toContain('not UTF-8');
    expect(reasonOf(program(push, key, eq))).toContain('do not fit (at byte 11)');
    expect(reasonOf(program(push, push, { op: 'startsWith' }))).toContain('do not fit');
    expect(reasonOf(program(eq))).toContain('do not fit');
    expect(reasonOf(program(push))).toContain('one boolean');
    expect(reasonOf(program(push, push, eq, push))).toContain('one boolean');
    const deep = Array.from({ length: nativeLimits.stackDepth + 1 }, () => push);
    expect(reasonOf(program(...deep))).toContain('deeper than 32');
  });

  it('never throws anything else on random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          nativeFilter(bytes)({ key: '/a', version: 1, time: 1, eventTime: null, size: 0 });
        } catch (caught) {
          expect(isFreshetError(caught, 'INVALID_QUERY')).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('boundsOf', () => {
  it('finds prefix, version and time', () => {
    const bounds = boundsOf(
      where((o) =>
        o.key
          .startsWith('/a')
          .and(o.key.startsWith('/a/b'), o.version.gt(3), o.time.between(5, 9.5)),
      ),
    );
    expect(bounds).toEqual({
      prefix: '/a/b',
      version: { from: 4, to: null },
      time: { from: 5, to: 9 },
      isEmpty: false,
    });
    expect(boundsOf(where((o) => o.version.eq(2.5))).isEmpty).toBe(true);
    expect(boundsOf(where((o) => o.key.startsWith('/a').and(o.key.eq('/b')))).isEmpty).toBe(true);
    expect(boundsOf(where((o) => o.version.gt(9).and(o.version.lt(3)))).isEmpty).toBe(true);
    const turned: ExpressionNode = {
      op: 'lte',
      args: [{ op: 'const', value: 5 }, field('version')],
    };
    expect(boundsOf(tree(turned)).version).toEqual({ from: 5, to: null });
  });

  it('never leaves out what passes (random conditions and objects)', () => {
    fc.assert(
      fc.property(
        condition,
        fc.array(storedObject, { minLength: 1, maxLength: 8 }),
        (body, objects) => {
          const { prefix, version, time, isEmpty } = boundsOf(tree(body));
          for (const object of objects.filter(compilePredicate(tree(body)))) {
            expect(isEmpty).toBe(false);
            expect(object.key.startsWith(prefix)).toBe(true);
            expect(object.version).toBeGreaterThanOrEqual(version.from ?? -Infinity);
            expect(object.version).toBeLessThanOrEqual(version.to ?? Infinity);
            expect(object.time).toBeGreaterThanOrEqual(time.from ?? -Infinity);
            expect(object.time).toBeLessThanOrEqual(time.to ?? Infinity);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('compose', () => {
  it('says over the source what is said over a projection (random conditions and objects)', () => {
    const inner = record<Row, never>(
      ((o: RecordedObject<{ n: number }>) => ({
        key: o.key,
        version: o.version.add(1),
        value: o.value,
        meta: { a: 'x' },
      })) as never,
      'stored',
    );
    fc.assert(
      fc.property(condition, storedObject, (body, object) => {
        const composed = compose(tree(body), inner);
        expect(evaluate(composed, object) === true).toBe(
          evaluate(tree(body), evaluate(inner, object)) === true,
        );
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseTree', () => {
  const reason = (input: unknown): string => {
    try {
      parseTree(input, 'stored');
    } catch (caught) {
      expect(isFreshetError(caught, 'INVALID_QUERY')).toBe(true);
      return String(caught);
    }
    return 'was accepted';
  };
  const body = (node: unknown): unknown => ({ v: 1, body: node });

  it('takes back what the recorder wrote (random conditions)', () => {
    fc.assert(
      fc.property(condition, (node) => {
        const sent: unknown = JSON.parse(JSON.stringify(tree(node)));
        expect(parseTree(sent, 'stored')).toEqual(tree(node));
      }),
    );
  });

  it('refuses the rest with its place', () => {
    expect(reason(null)).toContain('tree');
    expect(reason({ v: 2, body: field('key') })).toContain('version 2');
    expect(reason({ v: { toString: 1 }, body: null })).toContain('an object');
    expect(reason(body({ op: 'startWith', args: [] }))).toContain('did you mean "startsWith"');
    expect(reason(body({ op: 'eq', args: [field('key')] }))).toContain('cannot take 1');
    expect(reason(body({ op: 'not', args: [{ op: 'eq', args: [field('key'), 5] }] }))).toContain(
      'body.not0.eq1',
    );
    expect(reason(body({ op: 'const', value: {} }))).toContain('constant');
    expect(reason(body({ op: 'const', value: 1, x: 1 }))).toContain('"x"');
    expect(reason(body({ op: 'const' }))).toContain('lacks "value"');
    expect(reason(body({ op: 'const', value: 'x'.repeat(5000) }))).toContain('4096');
    expect(reason(body(field('kee')))).toContain('Did you mean "key"');
    expect(reason(body(field(...Array.from({ length: 40 }, () => 'value'))))).toContain(
      'path steps',
    );
    expect(reason(JSON.parse('{"v":1,"body":{"op":"record","fields":{"__proto__":1}}}'))).toContain(
      '__proto__',
    );
    expect(reason(body({ op: 'list', items: 'x' }))).toContain('list belongs');
    let deep: unknown = field('key');
    for (let i = 0; i < 100_000; i++) {
      deep = { op: 'not', args: [deep] };
    }
    expect(reason(body(deep))).toContain('deeper than 64');
  });
});
