/**
 * Which block of a large value goes from whom to whom in which step, as it was written down before
 * it was built: played through over what each member has, unlike the product's arithmetic.
 */
export interface Move {
  readonly step: number;
  /** Indexes: 0 is the value's sender, the others follow in rank order. */
  readonly from: number;
  readonly to: number;
  readonly block: number;
}

export type Algorithm = 'binomial' | 'chain' | 'tree' | 'sequential';

export function scheduleOf(algorithm: Algorithm, members: number, blocks: number): Move[] {
  switch (algorithm) {
    case 'chain':
      return allOf(members - 1, blocks, (from, block) => [from + block, from, from + 1]);
    case 'sequential':
      return allOf(members - 1, blocks, (to, block) => [to * blocks + block, 0, to + 1]);
    case 'tree':
      return treeOf(members, blocks);
    case 'binomial':
      return binomialOf(members, blocks);
  }
}

function allOf(
  count: number,
  blocks: number,
  moveOf: (nth: number, block: number) => readonly [number, number, number],
): Move[] {
  return Array.from({ length: count * blocks }, (_, nth) => {
    const block = nth % blocks;
    const [step, from, to] = moveOf(Math.floor(nth / blocks), block);
    return { step, from, to, block };
  });
}

function treeOf(members: number, blocks: number): Move[] {
  const moves: Move[] = [];
  for (let stage = 0; 2 ** stage < members; stage += 1) {
    for (let from = 0; from < 2 ** stage && from + 2 ** stage < members; from += 1) {
      for (let block = 0; block < blocks; block += 1) {
        moves.push({ step: stage * blocks + block, from, to: from + 2 ** stage, block });
      }
    }
  }
  return moves;
}

/** The binomial pipeline over the vertices of a hypercube; some of them have two members. */
function binomialOf(members: number, blocks: number): Move[] {
  const dimensions = Math.floor(Math.log2(members));
  const vertices = 2 ** dimensions;
  const isEven = members === vertices;
  const steps = isEven ? blocks + dimensions - 1 : blocks + dimensions;
  const isPair = (vertex: number): boolean => vertex >= 1 && vertex <= members - vertices;
  const twinOf = (vertex: number): number => vertex + vertices - 1;
  /** Who of each pair takes from outside: they change places when one has. */
  const front = Array.from({ length: vertices }, (_, vertex) => vertex);
  /** What each vertex received while who was its front, in order. */
  const received: { block: number; by: number; step: number }[][] = front.map(() => []);
  const has = Array.from({ length: members }, (_, member) => {
    return new Set<number>(member === 0 ? Array.from({ length: blocks }, (__, nth) => nth) : []);
  });
  const moves: Move[] = [];

  const give = (step: number, from: number, to: number, block: number, later: Move[]): void => {
    if (has[from]?.has(block) !== true) {
      throw new Error(`member ${String(from)} lacks block ${String(block)}`);
    }
    later.push({ step, from, to, block });
  };
  for (let step = 0; step < steps; step += 1) {
    const later: Move[] = [];
    const bit = 2 ** (step % dimensions);
    if (!isEven && step === steps - 1) {
      for (let vertex = 1; vertex < vertices; vertex += 1) {
        if (isPair(vertex))
          swap(has, [vertex, twinOf(vertex)], (...move) => give(step, ...move, later));
      }
      moves.push(...later);
      break;
    }
    for (let vertex = 0; vertex < vertices; vertex += 1) {
      const across = vertex ^ bit;
      const block = blockInto(across, step, dimensions, blocks);
      const mine = front[vertex] ?? 0;
      const sender = isPair(vertex) ? vertex + twinOf(vertex) - mine : vertex;
      if (block !== null) give(step, sender, front[across] ?? 0, block, later);
      if (isPair(vertex)) {
        // What the other one lacks of what this one took.
        const held = (received[vertex] ?? []).findLast(({ by }) => by === mine);
        if (held !== undefined && has[sender]?.has(held.block) === false) {
          give(step, mine, sender, held.block, later);
        }
      }
    }
    for (const { from, to, block } of later) {
      has[to]?.add(block);
      const vertex = to < vertices ? to : to - vertices + 1;
      const isInside = isPair(vertex) && (from === vertex || from === twinOf(vertex));
      if (!isInside) received[vertex]?.push({ block, by: to, step });
    }
    for (let vertex = 1; vertex < vertices; vertex += 1) {
      if (isPair(vertex) && (vertex & bit) !== 0) {
        front[vertex] = vertex + twinOf(vertex) - (front[vertex] ?? 0);
      }
    }
    moves.push(...later);
  }
  return moves;
}

/** Each of two members gives the other what it lacks. */
function swap(
  has: readonly ReadonlySet<number>[],
  pair: readonly [number, number],
  give: (from: number, to: number, block: number) => void,
): void {
  for (const [from, to] of [pair, pair.toReversed() as [number, number]]) {
    for (const block of has[from] ?? []) {
      if (has[to]?.has(block) === false) give(from, to, block);
    }
  }
}

/** The block that comes into a vertex in this step; the sender's gets none. */
function blockInto(
  vertex: number,
  step: number,
  dimensions: number,
  blocks: number,
): number | null {
  if (vertex === 0) {
    return null;
  }
  const turned = Array.from({ length: dimensions }, (_, nth) => {
    return (vertex >> ((nth + step) % dimensions)) & 1;
  });
  const [first = 0, ...rest] = turned;
  const next = rest.indexOf(1);
  if (first === 1 && next === -1) {
    return Math.min(step, blocks - 1);
  }
  const block = step - dimensions + (first === 1 ? next + 1 : 0);
  return block < 0 ? null : Math.min(block, blocks - 1);
}
