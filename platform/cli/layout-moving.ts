/**
 * Carrying out moves of whole shards in a running cluster, from outside: it asks for them and looks
 * until they are done.
 */
import { FreshetError, type LayoutReport } from '../base/mod.ts';
import type { GrpcDoor } from '../client/grpc/mod.ts';
import type { ShardMove } from '../group/mod.ts';
import { askAgainMs, type LayoutWatch, pollMs } from './layout-watch.ts';
import { membersOf } from './running-layout.ts';

export interface Carrying extends LayoutWatch {
  readonly door: Pick<GrpcDoor, 'layout' | 'moveShard'>;
}

/**
 * Until the newcomer holds the shard and the old member does not. Rejects INVALID_ARGUMENT, with
 * what to mend; TIMEOUT: it goes on.
 */
export async function carryOut(move: ShardMove, carrying: Carrying): Promise<void> {
  const { door, clock, sleep, note, waitMs } = carrying;
  const deadlineMs = clock.monotonicMs() + waitMs;
  let askAtMs = -Infinity;
  let shown = '';
  for (;;) {
    const report = await door.layout();
    const held = report.shards.find(({ shard }) => shard === move.shard);
    const has = (node: number): boolean => held?.members.includes(node) === true;
    const now = clock.monotonicMs();
    if (has(move.to) && !has(move.from) && askAtMs > -Infinity) return;
    if (!has(move.to) && now >= askAtMs) {
      await ask(door, move);
      askAtMs = now + askAgainMs;
    } else if (has(move.to) && askAtMs === -Infinity) {
      // Refused, with what to mend.
      await door.moveShard(move);
    }
    const line = progressOf(report, move);
    if (line !== shown) note(line);
    shown = line;
    if (now >= deadlineMs) throw overdue(move, waitMs);
    await sleep(pollMs);
  }
}

/** While a view changes nobody may lead: that passes. */
async function ask(door: Carrying['door'], move: ShardMove): Promise<void> {
  try {
    await door.moveShard(move);
  } catch (caught) {
    if (!(caught instanceof FreshetError) || !caught.retryable) throw caught;
  }
}

function progressOf({ shards }: LayoutReport, { shard, to }: ShardMove): string {
  const held = shards.find((one) => one.shard === shard);
  if (held === undefined) return `shard ${String(shard)} is not there`;
  const isIn = held.members.includes(to);
  const step = isIn ? 'the old member is let go' : `member ${String(to)} is filled`;
  return `shard ${String(shard)} has ${membersOf(held)}; ${step}`;
}

function overdue(move: ShardMove, waitMs: number): FreshetError {
  const text = `${inWords(move)}: not done after ${String(waitMs / 1000)} s`;
  return new FreshetError('TIMEOUT', text, {
    mend: 'It goes on: look with freshet layout show, or wait longer with --wait',
    details: { ...move },
  });
}

export function inWords({ shard, from, to }: ShardMove): string {
  return `shard ${String(shard)} from member ${String(from)} to ${String(to)}`;
}
