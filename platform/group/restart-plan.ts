/**
 * What a total restart begins with: which view was the newest, whose history of each shard goes on,
 * and the view that follows. Pure functions of what the members reported; the rules and why they
 * are needed stand in native/core/README.md, "Total restart".
 */
import { type Fill, isLonger, type Report, type ShardReport } from './group-messages.ts';
import { type Layout, sendersAmong, type ShardLayout } from './layout.ts';
import { homesOf, membersMinOf } from './shard-homes.ts';
import { type CoreShard, type CoreView, decodeView, nodesOf } from './view-codec.ts';

export type Reports = ReadonlyMap<number, Report>;

/** What a restart goes on from; or why it cannot be told yet. */
export type Before = Lineage | { readonly waitsFor: string };

export interface Lineage {
  /** The newest view that is known to have been committed. Null: there is none. */
  readonly base: CoreView | null;
  /** The view before the restart: that one, or what was prepared to follow it. */
  readonly view: CoreView | null;
  /** Of the view, when it was prepared alone. */
  readonly ballot: bigint;
}

export const noLineage: Lineage = { base: null, view: null, ballot: 0n };

/**
 * The newest committed view, or its newest prepared successor when one is known, as the members of
 * either may have gone on with it.
 */
export function newestView(reports: Reports): Before {
  const committed = viewsOf(reports, ({ committed: bytes }) => bytes);
  const prepared = viewsOf(reports, ({ prepared: bytes }) => bytes);
  // A prepared record proves that the view before it was committed.
  const base = Math.max(
    0,
    ...committed.map(({ view }) => view.number),
    ...prepared.map(({ view }) => view.parent),
  );
  if (base === 0 && prepared.length === 0) {
    return { base: null, view: null, ballot: 0n };
  }
  // Of another view with its number somebody may have a later ballot, but only as prepared.
  const isBase = ({ view }: Offered): boolean => view.number === base;
  const baseView = (latest(committed.filter(isBase)) ?? latest(prepared.filter(isBase)))?.view;
  const adopted = latest(prepared.filter(({ view }) => view.number > base));
  if (base > 0 && baseView === undefined) {
    return { waitsFor: `a member that was in view ${String(base)}` };
  }
  for (const view of [baseView, adopted?.view]) {
    const missing = view === undefined ? [] : missingForMajority(view, reports);
    if (view !== undefined && missing.length > 0) {
      return { waitsFor: `a majority of view ${String(view.number)}: ${listOf(missing)}` };
    }
  }
  const view = adopted?.view ?? baseView ?? null;
  return { base: baseView ?? null, view, ballot: adopted?.ballot ?? 0n };
}

/** What has to be known to all who take part before they go on from it: it was only prepared. */
export function adoptionOf(lineage: Lineage): Lineage | null {
  return lineage.view === lineage.base ? null : lineage;
}

/**
 * Who takes part: who is here of the newest view and of the one that is known to be committed, as a
 * majority of each has to know of the restart; and of a shard that nobody held any more all, as one
 * of them has its history. Others join later.
 */
export function participantsOf(
  layout: Layout,
  { base, view }: Lineage,
  reports: Reports,
): number[] {
  const present = [...reports.keys()].sort((a, b) => a - b);
  if (base === null || view === null) {
    return present;
  }
  const closed = view.shards.filter((core) => core.closed && layout.has(core.shard));
  const wanted = new Set([
    ...[...view.members, ...base.members].map(({ node }) => node),
    ...closed.flatMap(({ shard }) => homesOf(layout, view, shard).nodes),
  ]);
  return present.filter((node) => wanted.has(node));
}

/** A number that no view has, nor any that was offered to an earlier restart. */
export function nextNumber(before: CoreView | null, reports: Reports): number {
  const offered = [...reports.values()].map((report) => report.offered);
  return Math.max(before === null ? 1 : before.number + 2, ...offered.map((number) => number + 1));
}

/**
 * Members of the shard's last epoch whose histories count: those that prepared it. One that did
 * not may lack the end of the epoch before, or, had it just joined, anything. `taking`: who is here
 * and does not refuse the shard. Null: more of them have to be here.
 */
export function holdersOf(
  layout: ShardLayout,
  { base, view }: Pick<Lineage, 'base' | 'view'>,
  taking: readonly number[],
  reports: Reports,
): number[] | null {
  const last = coreOf(layout, view);
  if (view === null || last === undefined) {
    return layout.members.filter((node) => taking.includes(node));
  }
  const complete = preparedBy(layout, view, taking, reports);
  if (complete.length > 0) {
    return complete;
  }
  // It never began if all are here and none prepared it, or if nobody can have committed its view:
  // what counts is the base's epoch.
  const areAllHere = nodesOf(view, last).every((node) => taking.includes(node));
  const neverBegan = view !== base && (areAllHere || !mayBeCommitted({ base, view }, reports));
  const before = neverBegan ? preparedBy(layout, base, taking, reports) : [];
  if (before.length > 0) {
    return before;
  }
  // What was in memory alone nobody has to wait for.
  return areAllHere && !last.closed && !layout.persistent ? nodesOf(view, last) : null;
}

/**
 * Can a majority of the base and one of the view have prepared what follows the base? Who is not
 * here may have, and who has lost its disk.
 */
function mayBeCommitted({ base, view }: Pick<Lineage, 'base' | 'view'>, reports: Reports): boolean {
  const mayHavePrepared = (node: number): boolean => {
    const { committed, prepared } = reports.get(node) ?? { committed: '', prepared: '' };
    if (prepared === '') return committed === '';
    return decodeView(Buffer.from(prepared, 'base64')).number > (base?.number ?? 0);
  };
  return [base, view].every((each) => {
    const members = each?.members ?? [];
    const may = members.filter(({ node }) => mayHavePrepared(node));
    return each === null || 2 * may.length > members.length;
  });
}

/** Of those here that were in the view's epoch of the shard; of a closed one all may have been. */
function preparedBy(
  layout: ShardLayout,
  view: CoreView | null,
  taking: readonly number[],
  reports: Reports,
): number[] {
  const core = coreOf(layout, view);
  if (view === null || core === undefined || core.closed) {
    // Closed: any of its homes may have been the last.
    return layout.members.every((node) => taking.includes(node)) ? [...layout.members] : [];
  }
  return nodesOf(view, core).filter((node) => {
    return taking.includes(node) && preparedEpoch(node, layout.shard, reports) === core.epoch;
  });
}

function coreOf({ shard }: ShardLayout, view: CoreView | null): CoreShard | undefined {
  return view?.shards.find((item) => item.shard === shard);
}

/** The highest epoch of the shard that the node's own record has it in; 0: none. */
function preparedEpoch(node: number, shard: number, reports: Reports): number {
  const { committed, prepared } = reports.get(node) as Report;
  const epochs = [committed, prepared].flatMap((bytes) => {
    const view = bytes === '' ? null : decodeView(Buffer.from(bytes, 'base64'));
    const core = view?.shards.find((item) => item.shard === shard);
    const isIn = view !== null && core !== undefined && nodesOf(view, core).includes(node);
    return isIn ? [core.epoch] : [];
  });
  return Math.max(0, ...epochs);
}

export interface Longest {
  readonly node: number;
  readonly report: ShardReport;
}

/** Of several that are as long, one of those that most agree with. */
export function longestOf(
  holders: readonly number[],
  reportOf: (node: number) => ShardReport,
): Longest {
  const votes = new Map<string, number>();
  for (const { digest } of holders.map(reportOf)) {
    votes.set(digest, (votes.get(digest) ?? 0) + 1);
  }
  const votesOf = ({ report }: Longest): number => votes.get(report.digest) ?? 0;
  return holders
    .map((node): Longest => ({ node, report: reportOf(node) }))
    .reduce((best, next) => {
      const isAsLong = !isLonger(best.report, next.report);
      const wins = isLonger(next.report, best.report) || votesOf(next) > votesOf(best);
      return isAsLong && wins ? next : best;
    });
}

/**
 * Who ends at the same place as the donor with another history: that is no lack that could be
 * filled. Volatile shards are left out, as what one was filled with is not all that was applied.
 */
export function apartFrom(
  { persistent, delivery }: ShardLayout,
  { report: donor }: Longest,
  nodes: readonly number[],
  reportOf: (node: number) => ShardReport,
): number[] {
  return nodes.filter((node) => {
    const mine = reportOf(node);
    const samePlace = mine.epoch === donor.epoch && mine.sequence === donor.sequence;
    return persistent && samePlace && needsFill({ persistent, delivery }, donor, mine);
  });
}

/** Who has to fetch from the longest history: who is behind it, or went another way. */
export function fillsFrom(
  layout: ShardLayout,
  donor: Longest,
  taking: readonly number[],
  reportOf: (node: number) => ShardReport,
): Map<number, Fill> {
  const fills = new Map<number, Fill>();
  for (const node of layout.members) {
    if (node === donor.node || !taking.includes(node)) continue;
    // Where delivery is raw there is no telling whether it lacks the rules of a pool.
    if (layout.delivery === 'raw' || needsFill(layout, donor.report, reportOf(node))) {
      fills.set(node, { shard: layout.shard, donor: donor.node });
    }
  }
  return fills;
}

/**
 * Is this history another one than the donor's? Of raw delivery each has its own. A volatile one is known by its end, which is behind
 * the last change of a pool, too: its digest is of what it was filled with.
 */
export function needsFill(
  { persistent, delivery }: Pick<ShardLayout, 'persistent' | 'delivery'>,
  donor: ShardReport,
  mine: ShardReport,
): boolean {
  if (delivery === 'raw') return false;
  if (donor.version !== mine.version) return true;
  if (persistent) return donor.digest !== mine.digest;
  return donor.epoch !== mine.epoch || donor.sequence !== mine.sequence;
}

/**
 * The view of a restart: all shards begin an epoch above every one that anyone ever prepared, with
 * those of the participants that `membersOf` tells. Their homes, and the layout, stay.
 */
export function restartView(
  layout: Layout,
  before: CoreView | null,
  number: number,
  participants: readonly number[],
  reports: Reports,
  membersOf: (shard: ShardLayout) => readonly number[],
): CoreView {
  const members = participants.map((node, seat) => {
    const { incarnation } = reports.get(node) as Report;
    return { node, seat, incarnation };
  });
  const shards = layout.shards.map((shard): CoreShard => {
    const seats = membersOf(shard).map((node) => participants.indexOf(node));
    const closed = seats.length === 0;
    const highest = [...reports.values()].flatMap((report) =>
      report.shards.filter((item) => item.shard === shard.shard).map((item) => item.highest),
    );
    const last = before?.shards.find((item) => item.shard === shard.shard)?.epoch ?? 0;
    return {
      shard: shard.shard,
      epoch: Math.max(last, ...highest) + 1,
      persistent: shard.persistent,
      closed,
      members: seats,
      senders: sendersAmong(
        shard,
        seats.map((seat) => participants[seat] as number),
      ),
      membersMin: membersMinOf(shard, homesOf(layout, before, shard.shard)),
    };
  });
  const homes = layout.shards.map(({ shard }) => homesOf(layout, before, shard));
  const parent = before?.number ?? 0;
  return { number, parent, members, shards, homes, layout: before?.layout ?? null };
}

interface Offered {
  readonly view: CoreView;
  /** Highest for the one put forward last: its own number, or that of a restart that adopted it. */
  readonly at: number;
  readonly ballot: bigint;
}

function viewsOf(reports: Reports, bytesOf: (report: Report) => string): Offered[] {
  return [...reports.values()].flatMap((report) => {
    const bytes = Buffer.from(bytesOf(report), 'base64');
    if (bytes.length === 0) {
      return [];
    }
    const view = decodeView(bytes);
    const at = Math.max(view.number, report.adoptedAt);
    return [{ view, at, ballot: BigInt(report.ballot) }];
  });
}

function latest(offered: readonly Offered[]): Offered | null {
  const newer = (a: Offered, b: Offered): boolean =>
    b.at > a.at || (b.at === a.at && b.ballot > a.ballot);
  return offered.reduce<Offered | null>((best, next) => {
    return best === null || newer(best, next) ? next : best;
  }, null);
}

/**
 * Empty: more than half of its members are here with what they promised, or all are. A member
 * without any record has lost its disk: what it promised to another view is not known.
 */
function missingForMajority({ members }: CoreView, reports: Reports): number[] {
  const missing = members.map(({ node }) => node).filter((node) => !reports.has(node));
  const knowing = members.filter(({ node }) => {
    const report = reports.get(node);
    return report !== undefined && (report.committed !== '' || report.prepared !== '');
  });
  return 2 * knowing.length > members.length ? [] : missing;
}

function listOf(nodes: readonly number[]): string {
  const all = nodes.map(String).join(', ');
  return nodes.length === 1 ? `member ${all}` : `enough of members ${all}`;
}
