import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyQueue } from '../../../platform/lambda/key-queue.ts';

interface Item {
  readonly orderKey: string;
  readonly isAlone: boolean;
  readonly n: number;
}

const options = { sizeMax: 100, batchMax: 4, delayMs: 0 };
const item = (orderKey: string, n: number, isAlone = false): Item => ({ orderKey, n, isAlone });
const numbers = (batch: { items: readonly Item[] } | null) =>
  batch?.items.map(({ n }) => n) ?? null;

describe('KeyQueue', () => {
  it('takes what is there, in order, up to the batch size', () => {
    const queue = new KeyQueue<Item>(options);
    for (let n = 0; n < 6; n++) queue.push(item('a', n), 0);
    const first = queue.take(0);
    expect(numbers(first)).toEqual([0, 1, 2, 3]);
    expect(queue.take(0)).toBeNull();
    queue.finish(first?.items ?? []);
    expect(numbers(queue.take(0))).toEqual([4, 5]);
  });

  it('runs keys side by side and one key in order', () => {
    const queue = new KeyQueue<Item>({ ...options, batchMax: 1 });
    queue.push(item('a', 0), 0);
    queue.push(item('a', 1), 0);
    queue.push(item('b', 2), 0);
    const a = queue.take(0);
    expect(numbers(a)).toEqual([0]);
    expect(numbers(queue.take(0))).toEqual([2]);
    expect(queue.take(0)).toBeNull();
    queue.finish(a?.items ?? []);
    expect(numbers(queue.take(0))).toEqual([1]);
  });

  it('holds the key back until a retry is due, others go on', () => {
    const queue = new KeyQueue<Item>({ ...options, batchMax: 1 });
    queue.push(item('a', 0), 0);
    queue.push(item('a', 1), 0);
    queue.push(item('b', 2), 0);
    queue.retry(queue.take(0)?.items ?? [], 50);
    expect(numbers(queue.take(0))).toEqual([2]);
    expect(queue.take(49)).toBeNull();
    expect(queue.nextWake(10)).toBe(50);
    expect(numbers(queue.take(50))).toEqual([0]);
  });

  it('waits for the batch to fill, but no longer than it may', () => {
    const queue = new KeyQueue<Item>({ ...options, delayMs: 5 });
    queue.push(item('a', 0), 10);
    expect(queue.take(10)).toBeNull();
    expect(queue.nextWake(10)).toBe(15);
    expect(numbers(queue.take(15))).toEqual([0]);
    for (let n = 1; n <= 4; n++) queue.push(item('b', n), 20);
    expect(numbers(queue.take(20))).toEqual([1, 2, 3, 4]);
  });

  it('runs an item alone that asks for it', () => {
    const queue = new KeyQueue<Item>(options);
    queue.push(item('a', 0), 0);
    queue.push(item('a', 1, true), 0);
    queue.push(item('b', 2), 0);
    const first = queue.take(0);
    expect(numbers(first)).toEqual([0, 2]);
    queue.finish(first?.items ?? []);
    expect(numbers(queue.take(0))).toEqual([1]);
  });

  it('gives back what waits, in the order of every key, and keeps what is in flight', () => {
    const queue = new KeyQueue<Item>({ ...options, sizeMax: 3, batchMax: 1 });
    for (const [key, n] of [
      ['a', 0],
      ['a', 1],
      ['b', 2],
    ] as const)
      queue.push(item(key, n), 0);
    const first = queue.take(0)?.items ?? [];
    expect(queue.clear().map(({ n }) => n)).toEqual([1, 2]);
    expect(queue.take(0)).toBeNull();
    expect([queue.waiting, queue.inFlight]).toEqual([0, 1]);
    queue.retry(first, 0);
    expect(queue.clear()).toEqual(first);
    expect([queue.waiting, queue.inFlight]).toEqual([0, 0]);
    for (let n = 3; n < 7; n++) queue.add(item('a', n), 0);
    expect(queue.push(item('a', 7), 0)).toBe(false);
    expect(queue.clear().map(({ n }) => n)).toEqual([3, 4, 5, 6]);
  });

  it('refuses what is beyond its size', () => {
    const queue = new KeyQueue<Item>({ ...options, sizeMax: 2 });
    expect([0, 1, 2].map((n) => queue.push(item('a', n), 0))).toEqual([true, true, false]);
    expect(queue.isFull).toBe(true);
  });

  it('loses nothing and keeps the order of every key, whatever fails', () => {
    const keys = fc.constantFrom('a', 'b', 'c');
    const steps = fc.array(fc.record({ key: keys, fail: fc.boolean(), takes: fc.nat(2) }), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (script, batchMax) => {
        const queue = new KeyQueue<Item>({ ...options, batchMax });
        const done = new Map<string, number[]>([
          ['a', []],
          ['b', []],
          ['c', []],
        ]);
        const run = (now: number, fail: boolean): boolean => {
          const batch = queue.take(now);
          if (batch === null) return false;
          if (fail) queue.retry(batch.items, now + 3);
          else {
            for (const { orderKey, n } of batch.items) done.get(orderKey)?.push(n);
            queue.finish(batch.items);
          }
          return true;
        };
        script.forEach(({ key, fail, takes }, now) => {
          queue.push(item(key, now), now);
          for (let i = 0; i < takes; i++) run(now, fail);
        });
        while (run(script.length + 10, false));
        expect(queue.waiting + queue.inFlight).toBe(0);
        for (const [key, got] of done) {
          expect(got).toEqual(script.flatMap((step, n) => (step.key === key ? [n] : [])));
        }
      }),
    );
  });
});
