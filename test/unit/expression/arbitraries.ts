import type { ExpressionNode, Operator, StoredObject } from '../../../platform/expression/mod.ts';
import fc from 'fast-check';

/** Texts that share beginnings and ends, with code points on both sides of the surrogates. */
export const smallText = fc
  .array(fc.constantFrom('a', 'b', '/', 'cow', '_1', 'é', '\ue000', '\u{1f404}'), { maxLength: 4 })
  .map((parts) => parts.join(''));

export const smallNumber = fc.oneof(
  fc.integer({ min: -2, max: 12 }),
  fc.constantFrom(0.5, -1.5, 3.25, 1e15, 1e300),
);

export const scalar = fc.oneof(smallText, smallNumber, fc.boolean(), fc.constant(null));

interface Value {
  readonly n: unknown;
  readonly s: unknown;
  readonly flag: unknown;
  readonly tags: unknown;
  readonly inner: unknown;
}

export const anyValue: fc.Arbitrary<Value> = fc.record({
  n: fc.oneof(smallNumber, fc.constantFrom(null, NaN, 'x')),
  s: fc.oneof(smallText, fc.constantFrom(null, undefined, 5)),
  flag: fc.oneof(fc.boolean(), fc.constant(null)),
  tags: fc.oneof(fc.array(scalar, { maxLength: 3 }), fc.constant(null)),
  inner: fc.oneof(fc.record({ n: smallNumber, s: smallText }), fc.constantFrom(null, 3)),
});

export const storedObject: fc.Arbitrary<StoredObject<Value>> = fc.record({
  key: smallText.map((text) => `/p/${text}`),
  value: anyValue,
  version: fc.integer({ min: 1, max: 12 }),
  epoch: fc.integer({ min: 0, max: 2 }),
  time: fc.integer({ min: 1, max: 12 }),
  eventTime: fc.option(fc.integer({ min: -2, max: 12 })),
  previousVersion: fc.option(fc.integer({ min: 1, max: 12 })),
  previousVersionOfKey: fc.option(fc.integer({ min: 1, max: 12 })),
  size: fc.integer({ min: 0, max: 12 }),
  meta: fc.dictionary(fc.constantFrom('a', 'b'), smallText),
});

const nativePaths = [['key'], ['version'], ['time'], ['eventTime'], ['size']];
const otherPaths = [
  ['epoch'],
  ['previousVersionOfKey'],
  ['meta', 'a'],
  ['value', 'n'],
  ['value', 's'],
  ['value', 'flag'],
  ['value', 'tags'],
  ['value', 'inner', 'n'],
  ['value', 'inner', 's'],
  ['value', 'gone', 'deeper'],
];

const fieldNode = (paths: readonly string[][]): fc.Arbitrary<ExpressionNode> =>
  fc.constantFrom(...paths).map((path) => ({ op: 'field', of: null, path }));
const constNode: fc.Arbitrary<ExpressionNode> = fc
  .oneof(
    {
      weight: 9,
      arbitrary: fc.oneof(
        smallText.map((text) => `/p/${text}`),
        smallText,
        smallNumber,
      ),
    },
    { weight: 1, arbitrary: fc.oneof(fc.boolean(), fc.constant(null)) },
  )
  .map((value) => ({ op: 'const', value }));

const call = (op: Operator, ...args: readonly fc.Arbitrary<ExpressionNode>[]) =>
  fc.tuple(...args).map((made): ExpressionNode => ({ op, args: made }));

/** Random conditions over a stored object; about half of their parts can run natively. */
export const condition: fc.Arbitrary<ExpressionNode> = fc.letrec<{
  operand: ExpressionNode;
  condition: ExpressionNode;
}>((tie) => ({
  operand: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 6, arbitrary: fieldNode(nativePaths) },
    { weight: 3, arbitrary: fieldNode(otherPaths) },
    { weight: 6, arbitrary: constNode },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom<Operator>('add', 'sub', 'mul', 'div', 'orElse', 'at')
        .chain((op) => call(op, tie('operand'), tie('operand'))),
    },
    { weight: 1, arbitrary: call('length', tie('operand')) },
  ),
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    {
      weight: 6,
      arbitrary: fc
        .constantFrom<Operator>(
          ...([
            'eq',
            'ne',
            'lt',
            'lte',
            'gt',
            'gte',
            'startsWith',
            'endsWith',
            'includes',
          ] as const),
        )
        .chain((op) => call(op, tie('operand'), tie('operand'))),
    },
    { weight: 1, arbitrary: call('between', tie('operand'), tie('operand'), tie('operand')) },
    { weight: 1, arbitrary: call('isNull', tie('operand')) },
    { weight: 1, arbitrary: call('isNotNull', tie('operand')) },
    { weight: 3, arbitrary: call('and', tie('condition'), tie('condition')) },
    { weight: 2, arbitrary: call('or', tie('condition'), tie('condition')) },
    { weight: 2, arbitrary: call('not', tie('condition')) },
    { weight: 1, arbitrary: fieldNode([['value', 'flag']]) },
    { weight: 1, arbitrary: fc.boolean().map((value): ExpressionNode => ({ op: 'const', value })) },
  ),
})).condition;
