/**
 * Whose clocks are right, by what all members tell of each other's in their hellos: so all come to
 * one verdict, also on themselves. Only who has no view is judged.
 *
 * A view that goes on is right as it is: who comes is refused if most of its members find its clock
 * off. Where no view goes on nobody is right by himself: a member takes part in a restart if its
 * clock is near those of so many that they are a majority of all with it.
 */
import type { ToldClock } from './clock-offsets.ts';

/** `unknown`: it was compared with too few. */
export type ClockVerdict = 'well' | 'off' | 'unknown';

/** Who finds a member's clock off, and by how much: ahead of theirs, ms. */
export interface ClockAccusation {
  readonly by: number;
  readonly aheadMs: number;
}

export interface ToldByMembers {
  readonly node: number;
  /** Of all that are here, me included: have they a view that goes on, and what do they tell. */
  readonly told: ReadonlyMap<
    number,
    { readonly runs: boolean; readonly clocks: readonly ToldClock[] }
  >;
  /** How many members are configured. */
  readonly members: number;
}

export function clockVerdict({ node, told, members }: ToldByMembers): ClockVerdict {
  const judges = judgesOf(node, told);
  const isRunning = judges.some(([, { runs }]) => runs);
  const found = judges.flatMap(([, { clocks }]) => findClock(clocks, node));
  const near = found.filter(({ aheadMs }) => aheadMs === 0).length;
  const off = found.length - near;
  if (isRunning) {
    if (2 * off > judges.length) return 'off';
    return 2 * near >= judges.length ? 'well' : 'unknown';
  }
  if (2 * (near + 1) > members) return 'well';
  const silent = judges.length - found.length;
  return off > 0 && 2 * (near + silent + 1) <= members ? 'off' : 'unknown';
}

export function clockAccusations({ node, told }: ToldByMembers): ClockAccusation[] {
  return judgesOf(node, told).flatMap(([by, { clocks }]) =>
    findClock(clocks, node)
      .filter(({ aheadMs }) => aheadMs !== 0)
      .map(({ aheadMs }) => ({ by, aheadMs })),
  );
}

/** The others of the view that goes on; all others where there is none. */
function judgesOf(node: number, told: ToldByMembers['told']) {
  const others = [...told].filter(([from]) => from !== node);
  const running = others.filter(([, { runs }]) => runs);
  return running.length > 0 ? running : others;
}

/** To be read by people. `whose`: begins the sentence. */
export function explainClock(
  whose: string,
  accusations: readonly ClockAccusation[],
  maxSkewMs: number,
): string {
  const told = accusations.map(({ by, aheadMs }) => {
    const way = aheadMs > 0 ? 'ahead of' : 'behind';
    return `${(Math.abs(aheadMs) / 1000).toFixed(1)} s ${way} that of member ${String(by)}`;
  });
  const allowed = `maxClockSkewMs allows ${String(maxSkewMs)} ms`;
  return `${whose} is ${told.join(', ')} (${allowed})`;
}

function findClock(clocks: readonly ToldClock[], node: number): readonly ToldClock[] {
  return clocks.filter((clock) => clock.node === node);
}
