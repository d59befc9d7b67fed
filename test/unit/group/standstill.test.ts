import { expect, test } from 'vitest';
import type { GroupStatus } from '../../../platform/group/machine-types.ts';
import { explainStandstill } from '../../../platform/group/standstill.ts';

const status: GroupStatus = {
  view: 0,
  members: [],
  leader: 1,
  running: false,
  missing: [],
  phase: 'waiting',
  problem: null,
  refused: false,
  ignored: 0,
};

test('names those who are missing, and why they are not connected where that is known', () => {
  const missing = { ...status, missing: [2, 3], problem: 'something else' };
  expect(explainStandstill(missing, null, new Map([[3, 'refused as WRONG_CLUSTER: why']]))).toBe(
    'waiting for member 2, 3 (refused as WRONG_CLUSTER: why)',
  );
});
