import { expect, test } from 'vitest';
import { silentLogger } from '../../../platform/base/mod.ts';
import { diskRooms } from '../../../platform/bridge/mod.ts';
import type { CoreListener } from '../../../platform/group/core-types.ts';
import type { MemberCore } from '../../../platform/group/member-core.ts';
import { MemberDisks } from '../../../platform/group/member-disks.ts';

const MiB = 1024 * 1024;

function disksOf(nodeId: number): {
  disks: MemberDisks;
  tell: NonNullable<CoreListener['onDisk']>;
} {
  let listener: CoreListener = {};
  const core = {
    nodeId,
    listen: (given: CoreListener) => {
      listener = given;
    },
  };
  const disks = new MemberDisks(core as unknown as MemberCore, silentLogger());
  return { disks, tell: (node, freeBytes, room) => listener.onDisk?.(node, freeBytes, room) };
}

test('names the member of the shard that has least left, how much, and the mend', () => {
  const { disks, tell } = disksOf(1);
  tell(2, 90 * MiB, diskRooms.little);
  tell(3, 60.25 * MiB, diskRooms.little);
  tell(4, MiB, diskRooms.none);
  const refusal = disks.fullError(7, [1, 2, 3], 'The change of /milk/a');
  expect(refusal.toJSON()).toEqual({
    code: 'DISK_FULL',
    message:
      'The change of /milk/a was refused: the disk of member 3 is nearly full, 60.3 MiB left',
    mend: 'Free or add disk space at member 3',
    retryable: true,
    details: { shard: 7, member: 3, freeBytes: 60.25 * MiB },
  });
});

test('forgets what has room again', () => {
  const { disks, tell } = disksOf(3);
  tell(3, MiB, diskRooms.none);
  expect(disks.isMineFull).toBe(true);
  tell(3, 100 * MiB, diskRooms.little);
  expect(disks.isMineFull).toBe(false);
  tell(3, 500 * MiB, diskRooms.enough);
  const refusal = disks.fullError(7, [3], 'The change of /milk/a');
  expect(refusal.toJSON()).toEqual({
    code: 'DISK_FULL',
    message: 'The change of /milk/a was refused: a disk of shard 7 has no room for it',
    mend: 'Free or add disk space',
    retryable: true,
    details: { shard: 7 },
  });
});
