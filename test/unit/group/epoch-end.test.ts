import { describe, expect, test } from 'vitest';
import { fillBefore } from '../../../platform/group/epoch-end.ts';
import { positionOf } from './plan-samples.ts';

/** A donor that tells one end after the other; what was done is noted. */
function rig(mayGoOn: boolean, ends: readonly unknown[]) {
  const done: string[] = [];
  const left = [...ends];
  const options = {
    messages: {
      call: (node: number, method: string, argument: unknown) => {
        done.push(`${method} of ${String(node)} for ${JSON.stringify(argument)}`);
        return Promise.resolve(left.shift());
      },
    },
    mayGoOn: () => mayGoOn,
    endedCall: 'ended',
    timeoutMs: 1000,
  };
  const fill = (): Promise<void> => {
    done.push('fill');
    return Promise.resolve();
  };
  const before = { shard: 1, epoch: 6 };
  const { signal } = new AbortController();
  return { done, run: () => fillBefore(options, before, 2, signal, fill) };
}

const end = positionOf(5, 7);

describe('what a log keeps', () => {
  test('is fetched, and its end is known', async () => {
    const { done, run } = rig(true, [end]);
    expect(await run()).toEqual(end);
    expect(done).toEqual(['ended of 2 for [1,6]', 'fill']);
  });

  test('is fetched from a donor that has gone on, of which the end is not known', async () => {
    const { done, run } = rig(true, [positionOf(6, 0)]);
    expect(await run()).toBeNull();
    expect(done).toEqual(['ended of 2 for [1,6]', 'fill']);
  });
});

describe('what is in memory alone', () => {
  test('is fetched from a donor that stands still', async () => {
    const { done, run } = rig(false, [end, { ...end }]);
    expect(await run()).toEqual(end);
    expect(done).toEqual(['ended of 2 for [1,6]', 'fill', 'ended of 2 for [1,6]']);
  });

  test('is not taken from one that has gone on', async () => {
    const { done, run } = rig(false, [positionOf(6, 0)]);
    await expect(run()).rejects.toMatchObject({ code: 'NOT_CURRENT' });
    expect(done).not.toContain('fill');
  });

  test('does not count when it went on meanwhile', async () => {
    const { done, run } = rig(false, [end, positionOf(6, 0)]);
    await expect(run()).rejects.toMatchObject({ code: 'NOT_CURRENT' });
    expect(done).toContain('fill');
  });
});

test('a donor that does not tell where it stands is refused', async () => {
  const { run } = rig(true, [{ version: 7 }]);
  await expect(run()).rejects.toMatchObject({ code: 'INTERNAL' });
});
