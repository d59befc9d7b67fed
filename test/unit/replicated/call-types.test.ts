import { expect, expectTypeOf, test } from 'vitest';
import { Replicated, ReplicatedObject } from '../../../platform/replicated/mod.ts';
import { checkClass } from '../../../platform/replicated/replicated-object.ts';
import { decodeValue, encodeValue } from '../../../platform/replicated/call-record.ts';
import { Counter } from './counter.ts';

const asked: string[] = [];
const counter = new ReplicatedObject('/counter', Counter, 2, {
  members: () => [1, 2],
  ordered: (method, args) => {
    asked.push(`${method}(${String(args)})`);
    return Promise.resolve({ error: null, value: encodeValue(args[0], 'it') });
  },
  everywhere: (_method, args) => {
    const value = encodeValue(args[0], 'it');
    return Promise.resolve(new Map([[1, { error: null, value }]]));
  },
  p2p: (node, method, args) => {
    asked.push(`${method}@${String(node)}(${JSON.stringify(decodeValue(args))})`);
    return Promise.resolve({ error: null, value: encodeValue(node, 'it') });
  },
});

test('calls have the types of the methods', async () => {
  expectTypeOf(counter.ordered.add).toEqualTypeOf<(by: number) => Promise<number>>();
  expectTypeOf(counter.local.total).toEqualTypeOf<() => Promise<number>>();
  expect(await counter.ordered.add(3)).toBe(3);
  expect(await counter.local.total()).toBe(2);
  expect(await counter.p2p(7).total()).toBe(7);
  expect(await counter.everywhere.add(3)).toEqual(new Map([[1, { ok: true, value: 3 }]]));
  expect(asked).toEqual(['add(3)', 'total@2([])', 'total@7([])']);
});

test('a wrong call does not compile, and is not there', () => {
  // @ts-expect-error: the argument is a number
  void counter.ordered.add('three');
  // @ts-expect-error: a p2p method is not called in order
  expect(counter.ordered.total).toBeUndefined();
  // @ts-expect-error: an ordered method is not called at one member
  expect(counter.local.add).toBeUndefined();
  // @ts-expect-error: static calls does not name it
  expect(counter.ordered.hidden).toBeUndefined();
  // What returns a promise cannot be ordered.
  expectTypeOf(counter.ordered.late).toBeNever();
});

test('a class that names what it has not is refused', () => {
  class Wrong extends Replicated {
    static readonly calls = { missing: 'ordered' } as const;
    override snapshot(): Uint8Array {
      return new Uint8Array();
    }
    override restore(): void {
      // Nothing to become.
    }
  }
  expect(() => checkClass(Wrong)).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('missing') as string,
    }),
  );
  const own: typeof Wrong & { calls: object } = class extends Wrong {
    static override readonly calls = { snapshot: 'ordered' } as never;
  };
  expect(() => checkClass(own)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
