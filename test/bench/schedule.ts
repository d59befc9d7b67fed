/**
 * The binomial pipeline as RDMC tells it (Behrens et al., DSN 2018; also Ganesan and Seshadri,
 * ICDCS 2005), for a power of two of members: what the blocks of a running cluster are held
 * against. It knows nothing of how Freshet reckons its schedules.
 */

export interface Move {
  readonly step: number;
  /** Places among the members, the value's sender 0. */
  readonly from: number;
  readonly to: number;
  readonly block: number;
}

/** All that is sent of `blocks` blocks among 2^`dimensions` members. */
export function hypercubeMoves(dimensions: number, blocks: number): readonly Move[] {
  const members = 2 ** dimensions;
  const moves: Move[] = [];
  for (let step = 0; step < blocks + dimensions - 1; step++) {
    const dimension = step % dimensions;
    for (let from = 0; from < members; from++) {
      const to = from ^ (1 << dimension);
      const block = to === 0 ? null : blockOf(from, step, dimensions, blocks);
      if (block !== null) moves.push({ step, from, to, block });
    }
  }
  return moves;
}

/** What a vertex gives across the step's dimension; null: it has nothing yet. */
function blockOf(vertex: number, step: number, dimensions: number, blocks: number): number | null {
  // Only the sender has new blocks: one in each step, at the end the last one again.
  if (vertex === 0) return Math.min(step, blocks - 1);
  // Others give the block that left the sender in the dimension of their next bit, a round ago.
  let ahead = 0;
  while (((vertex >> ((step + ahead) % dimensions)) & 1) === 0) ahead++;
  const left = step + ahead - dimensions;
  return left < 0 ? null : Math.min(left, blocks - 1);
}
