import { afterEach, expect, test } from 'vitest';
import { FreshetError } from '../../platform/base/mod.ts';
import { groupLimits } from '../../platform/group/group-limits.ts';
import { appendPiece } from '../../platform/group/log-pieces.ts';
import { FillMember, shard } from './fill-member.ts';

const MiB = 1024 * 1024;
const opened: FillMember[] = [];

afterEach(() => {
  for (const member of opened.splice(0)) member.core.close();
});

async function openMember(nodeId: number): Promise<FillMember> {
  const member = new FillMember(nodeId);
  opened.push(member);
  await member.open();
  return member;
}

test('what came of a long value whose donor is lost goes at once', async () => {
  const donor = await openMember(1);
  await donor.begin(1);
  await donor.makePool();
  await donor.put('/long', Buffer.alloc(65 * MiB, 'long'));
  const joiner = await openMember(2);
  joiner.donors.set(1, donor);
  let pieces = 0;
  joiner.onCall = (name) => {
    if (name !== 'group.readPiece' || pieces++ < 3) return Promise.resolve();
    return Promise.reject(new FreshetError('UNREACHABLE', 'it is lost'));
  };
  const { signal } = new AbortController();
  const start = { epoch: 0, sequence: -1 };
  const lost = joiner.filler.fill({ shard, donor: 1 }, start, signal, (work) => work);
  await expect(lost).rejects.toMatchObject({ code: 'UNREACHABLE' });
  expect(pieces).toBe(4);
  // The one that would come next finds nothing that it could follow.
  const next = Buffer.alloc(groupLimits.pieceBytes);
  const appended = appendPiece(joiner.core, shard, 4 * groupLimits.pieceBytes, next);
  await expect(appended).rejects.toMatchObject({ code: 'CONDITION_FAILED' });
});
