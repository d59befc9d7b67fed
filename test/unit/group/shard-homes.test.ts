import { expect, test } from 'vitest';
import { membersMinOf } from '../../../platform/group/shard-homes.ts';

test.each([
  { min: 1, homes: 3, due: 1, why: 'as the layout has it' },
  { min: 3, homes: 3, due: 3, why: 'as the layout has it, with as many places' },
  { min: 3, homes: 4, due: 3, why: 'as the layout has it, with more' },
  { min: 3, homes: 2, due: 2, why: 'as many as there are places: it was raised above them' },
  { min: 3, homes: 0, due: 1, why: 'one, where nobody has a place' },
])('of $homes places, with a minimum of $min, it is $due: $why', ({ min, homes, due }) => {
  const nodes = Array.from({ length: homes }, (_, at) => at + 1);
  expect(membersMinOf({ min }, { shard: 2, nodes, leaving: [] })).toBe(due);
});
