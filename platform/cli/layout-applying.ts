/**
 * Bringing another layout into force in a running cluster, from outside: it asks for it, and looks
 * until the members are where it wants them.
 */
import {
  FreshetError,
  type HeldShard,
  type LayoutChange,
  type LayoutReport,
  type ShardChange,
} from '../base/mod.ts';
import type { GrpcDoor, WantedLayout } from '../client/grpc/mod.ts';
import { askAgainMs, type LayoutWatch, pollMs } from './layout-watch.ts';
import { membersOf } from './running-layout.ts';

export interface Applying extends LayoutWatch {
  readonly door: Pick<GrpcDoor, 'layout' | 'changeLayout'>;
}

/** Lines for people: what will be otherwise, and the members of each shard before and after. */
export function changeLines({ from, to, lines, shards }: LayoutChange): string[] {
  if (from === to) return [`layout version ${String(from)} says the same already`];
  const title = `layout version ${String(from)} becomes ${String(to)}`;
  return [
    title,
    ...lines.map((line) => `  ${line}`),
    ...shards.map((one) => `  ${membersLine(one)}`),
  ];
}

function membersLine({ subgroup, index, shard, before, after }: ShardChange): string {
  const name = `${subgroup}[${String(index)}], shard ${String(shard)}`;
  const now = after.map(String).join(' ');
  return before === null
    ? `${name}: new, members ${now}`
    : `${name}: members ${before.map(String).join(' ')} become ${now}`;
}

/**
 * Until the layout counts and every shard has the members that it is to have. `planned` is what it
 * was found to change. Rejects INVALID_CONFIG, with what to mend; CONDITION_FAILED: somebody else
 * changed the layout meanwhile; TIMEOUT: it goes on.
 */
export async function applyLayout(
  wanted: WantedLayout,
  planned: LayoutChange,
  applying: Applying,
): Promise<void> {
  const { door, clock, sleep, note, waitMs } = applying;
  const deadlineMs = clock.monotonicMs() + waitMs;
  let counts = planned.from === planned.to;
  let askAtMs = -Infinity;
  let shown = '';
  for (;;) {
    const report = await door.layout();
    const now = clock.monotonicMs();
    if (!counts && (now >= askAtMs || report.version >= planned.to)) {
      counts = await isInForce(door, wanted);
      askAtMs = now + askAgainMs;
    }
    const waits = counts ? report.shards.filter((shard) => !isSettled(shard)) : null;
    if (waits?.length === 0 && report.version >= planned.to) return;
    const line = progressOf(report, waits);
    if (line !== shown) note(line);
    shown = line;
    if (now >= deadlineMs) throw overdue(line, waitMs);
    await sleep(pollMs);
  }
}

/** Asks for it: is it said to change nothing any more? While a view changes nobody may lead. */
async function isInForce(door: Applying['door'], wanted: WantedLayout): Promise<boolean> {
  try {
    const { from, to } = await door.changeLayout({ ...wanted, dryRun: false });
    return from === to;
  } catch (caught) {
    if (!(caught instanceof FreshetError) || !caught.retryable) throw caught;
    return false;
  }
}

/** One that stands still waits for members, not for the layout. */
function isSettled({ members, wanted, leaving }: HeldShard): boolean {
  const isComplete = [...members].sort().join() === [...wanted].sort().join();
  return members.length === 0 || (isComplete && leaving.length === 0);
}

function progressOf({ version }: LayoutReport, waits: readonly HeldShard[] | null): string {
  const [first] = waits ?? [];
  if (first === undefined) return `layout version ${String(version)} counts`;
  const more = (waits?.length ?? 0) - 1;
  const others = more === 0 ? '' : `, and ${String(more)} more shards`;
  const wanted = first.wanted.map(String).join(' ');
  const name = `${first.subgroup}[${String(first.index)}]`;
  return `${name} has ${membersOf(first)}, and is to have ${wanted}${others}`;
}

function overdue(line: string, waitMs: number): FreshetError {
  return new FreshetError('TIMEOUT', `${line}: not done after ${String(waitMs / 1000)} s`, {
    mend: 'It goes on: look with freshet layout show, or wait longer with --wait',
  });
}
