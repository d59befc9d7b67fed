import { expect, test } from 'vitest';
import { type ErrorCode, FreshetError } from '../../../platform/base/mod.ts';
import { lookAgain } from '../../../platform/store/look-again.ts';
import type { ShardRead } from '../../../platform/store/shard-access.ts';

const newest: ShardRead = {
  ...{ key: '/pool/key', read: 'local', wantValue: true },
  ...{ version: null, exact: false, at: null },
};

/** Reads that fail so one after the other, until one finds something. */
async function found(read: ShardRead, ...codes: readonly ErrorCode[]) {
  let tries = 0;
  const outcome = await lookAgain(read, async () => {
    const code = codes[tries++];
    if (code !== undefined) throw new FreshetError(code, 'It was not read');
    return Promise.resolve('found');
  }).catch((caught: unknown) => (caught instanceof FreshetError ? caught.code : caught));
  return { outcome, tries };
}

test('what is newest is looked for again where it was pruned while it was read', async () => {
  expect(await found(newest)).toEqual({ outcome: 'found', tries: 1 });
  const again = await found(newest, 'COMPACTED', 'COMPACTED', 'COMPACTED');
  expect(again).toEqual({ outcome: 'found', tries: 4 });
});

test('where each is pruned before it was read, that is said in the end', async () => {
  const codes = Array.from({ length: 9 }, () => 'COMPACTED' as const);
  expect(await found(newest, ...codes)).toEqual({ outcome: 'COMPACTED', tries: 4 });
});

test('what else a read meets, and what was pruned of the past, is said at once', async () => {
  expect(await found(newest, 'SHARD_STOPPED')).toEqual({ outcome: 'SHARD_STOPPED', tries: 1 });
  expect(await found(newest, 'COMPACTED', 'TIMEOUT')).toEqual({ outcome: 'TIMEOUT', tries: 2 });
  for (const past of [{ version: 7 }, { version: 7, exact: true }, { at: 7 }]) {
    const once = { outcome: 'COMPACTED', tries: 1 };
    expect(await found({ ...newest, ...past }, 'COMPACTED')).toEqual(once);
  }
});
