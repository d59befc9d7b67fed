import { expect, test } from 'vitest';
import { programArgs, runProgram } from '../support/mod.ts';

/** What an example prints: what its members came to, each a process of its own. */
async function outcomeOf(name: string): Promise<unknown> {
  const args = programArgs(`examples/${name}.ts`);
  const { code, stdout, stderr } = await runProgram(process.execPath, args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

test('lock: what a deposed owner still wants is refused', async () => {
  expect(await outcomeOf('lock')).toEqual({
    log: ['KL 1 may land', 'AF 2 may land', 'refused: BA 3: another controls the runway now'],
    landings: ['KL 1', 'AF 2'],
    isNewer: true,
  });
});

test('leader: all agree on one for each view', async () => {
  const { leaders, terms } = (await outcomeOf('leader')) as {
    readonly leaders: readonly number[];
    readonly terms: readonly (readonly [number, number])[];
  };
  expect(leaders).toEqual([1, 2]);
  expect(terms.at(0)?.[1]).toBe(1);
  expect(terms.at(-1)?.[1]).toBe(2);
  const views = terms.map(([view]) => view);
  expect(views).toEqual([...new Set(views)].sort((a, b) => a - b));
});

test('barrier: opens for all at once, and without who has failed', async () => {
  expect(await outcomeOf('barrier')).toEqual({
    waiting: [1, 1],
    round1: Array(3).fill([1, 2, 3]),
    round2: Array(2).fill([1, 2]),
  });
});

test('coordinator and cohort: the next one answers what the first could not', async () => {
  const { values, by, answersAtTheOther } = (await outcomeOf('cohort')) as {
    readonly values: readonly number[];
    readonly by: readonly number[];
    readonly answersAtTheOther: readonly number[];
  };
  expect(values).toEqual([100, 121, 144, 169, 196, 225]);
  expect(new Set(by)).toEqual(new Set([1, 2]));
  expect(answersAtTheOther).toEqual([0, 1, 2, 3, 4, 5]);
});

test('search: complete although one of k died in the middle of it', async () => {
  const { matches, partsBy } = (await outcomeOf('search')) as {
    readonly matches: readonly number[];
    readonly partsBy: Readonly<Record<string, number>>;
  };
  expect(matches).toEqual(Array.from({ length: 30 }, (_, nth) => (nth + 1) * 997));
  // One part of the four that the dead member had; the others have all of theirs and the rest.
  expect(partsBy['3']).toBe(1);
  expect((partsBy['1'] ?? 0) + (partsBy['2'] ?? 0)).toBe(11);
});

test('chain: updates on their way through a member that dies arrive', async () => {
  expect(await outcomeOf('chain')).toEqual({
    reads: ['open', 'closed', 'open again'],
    copies: ['open again', 'open again'],
    isLeft: true,
  });
});

test('tickets: naive copies diverge, conditions do not', async () => {
  const { naive, conditional } = (await outcomeOf('tickets')) as {
    readonly naive: object;
    readonly conditional: { readonly sold: boolean[]; readonly copies: string[] };
  };
  expect(naive).toEqual({
    sold: [true, true],
    refused: [1, 1],
    copies: ['customer of agent 1', 'customer of agent 2'],
  });
  expect(conditional.sold.filter(Boolean)).toHaveLength(1);
  const winner = `customer of agent ${String(conditional.sold.indexOf(true) + 1)}`;
  expect(conditional.copies).toEqual([winner, winner]);
});
