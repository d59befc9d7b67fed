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
  if (before === null) return `${name}: new, members ${now}`;
  const old = before.map(String).join(' ');
  return after.length === 0
    ? `${name}: taken away from members ${old}`
    : `${name}: members ${old} become ${now}`;
}

/** For so long nobody else may come to the shards: who is away may be starting again. */
const awayMs = 5000;

/**
 * Until the layout counts and every shard has the members that it is to have, or lacks only some
 * that are away and keep their places. `planned` is what it was found to change. Resolves to null:
 * all is done; else to how far it is: the layout counts, and the rest goes on by itself. Rejects
 * INVALID_CONFIG, with what to mend; CONDITION_FAILED: somebody else changed the layout meanwhile;
 * TIMEOUT: it does not count yet.
 */
export async function applyLayout(
  wanted: WantedLayout,
  planned: LayoutChange,
  applying: Applying,
): Promise<string | null> {
  const { door, clock, sleep, note, waitMs } = applying;
  const deadlineMs = clock.monotonicMs() + waitMs;
  let counts = planned.from === planned.to;
  let askAtMs = -Infinity;
  let awaySinceMs = Infinity;
  let shown = '';
  for (;;) {
    const report = await door.layout();
    const now = clock.monotonicMs();
    if (!counts && (now >= askAtMs || report.version >= planned.to)) {
      counts = await isInForce(door, wanted);
      askAtMs = now + askAgainMs;
    }
    const isInView = counts && report.version >= planned.to;
    const waits = counts ? report.shards.filter((shard) => !isSettled(shard)) : null;
    if (waits?.length === 0 && isInView) return null;
    const line = progressOf(report, waits);
    if (line !== shown) note(line);
    shown = line;
    const areAway = isInView && waits?.every((shard) => awayFor(report, shard).length > 0) === true;
    awaySinceMs = areAway ? Math.min(awaySinceMs, now) : Infinity;
    if (isInView && (now >= deadlineMs || now - awaySinceMs >= awayMs)) return line;
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

/** Members for which alone the shard waits: they have places in it, and are not here. */
function awayFor({ members }: LayoutReport, shard: HeldShard): readonly number[] {
  const lacking = shard.wanted.filter((node) => !shard.members.includes(node));
  return lacking.some((node) => members.includes(node)) ? [] : lacking;
}

function progressOf(report: LayoutReport, waits: readonly HeldShard[] | null): string {
  const [first] = waits ?? [];
  if (first === undefined) return `layout version ${String(report.version)} counts`;
  const more = (waits?.length ?? 0) - 1;
  const others = more === 0 ? '' : `, and ${String(more)} more shards`;
  const wanted = first.wanted.map(String).join(' ');
  const name = `${first.subgroup}[${String(first.index)}]`;
  const away = awayFor(report, first).map(String).join(', ');
  const why = away === '' ? '' : ` (member ${away} is away, and keeps its place)`;
  return `${name} has ${membersOf(first)}, and is to have ${wanted}${why}${others}`;
}

function overdue(line: string, waitMs: number): FreshetError {
  return new FreshetError('TIMEOUT', `${line}: not done after ${String(waitMs / 1000)} s`, {
    mend: 'It may come yet: look with freshet layout show, or apply it again',
  });
}
