/**
 * The histories that members of a restart offered, shard by shard: which is the one that goes on,
 * who lacks some of it, and who has another.
 *
 * Thread: event loop.
 */
import { check } from '../base/mod.ts';
import type { Apart, Fill, ShardReport } from './group-messages.ts';
import type { ShardLayout } from './layout.ts';
import {
  apartFrom,
  fillsFrom,
  holdersOf,
  type Lineage,
  type Longest,
  longestOf,
  needsFill,
  type Reports,
} from './restart-plan.ts';

export class RestartHistories {
  /** shard → node → where it stands. */
  readonly #positions = new Map<number, Map<number, ShardReport>>();
  readonly #apart = new Map<number, Apart>();
  /** shard → nodes that tell where they stand with it. */
  readonly #expected = new Map<number, Set<number>>();
  #participants: readonly number[] = [];

  clear(): void {
    this.#positions.clear();
    this.#apart.clear();
    this.#expected.clear();
    this.#participants = [];
  }

  setParticipants(nodes: readonly number[]): void {
    this.#participants = nodes;
  }

  /** This member has told, or will before it is asked for, where it stands with these. */
  expect(from: number, shards: readonly number[]): void {
    for (const shard of shards) {
      const nodes = this.#expected.get(shard) ?? new Set<number>();
      this.#expected.set(shard, nodes.add(from));
    }
  }

  note(from: number, reports: readonly ShardReport[]): void {
    for (const report of reports) {
      const nodes = this.#positions.get(report.shard) ?? new Map<number, ShardReport>();
      this.#positions.set(report.shard, nodes.set(from, report));
    }
  }

  /** Who has another history than most, by shard. */
  get apart(): readonly Apart[] {
    return [...this.#apart.values()];
  }

  /** Null: more members that may hold the shard's history have to be here. */
  holders(layout: ShardLayout, lineage: Lineage, reports: Reports): number[] | null {
    return holdersOf(layout, lineage, this.#here(layout), reports);
  }

  /** Null: nobody who takes part holds the shard. */
  longest(layout: ShardLayout, lineage: Lineage, reports: Reports): Longest | null {
    const holders = this.holders(layout, lineage, reports) ?? [];
    const counting = holders.filter((node) => !this.#isApart(layout.shard, node));
    return counting.length === 0 ? null : longestOf(counting, this.#reportIn(layout));
  }

  /** Members that the shard may go on with: here, not refusing it, of one history with most. */
  taking(layout: ShardLayout): number[] {
    return this.#here(layout).filter((node) => !this.#isApart(layout.shard, node));
  }

  /**
   * Sets apart who ends where the donor does with another history. False: the donor's is not that of
   * most members of the shard either.
   */
  setApart(layout: ShardLayout, donor: Longest): boolean {
    const { shard, members } = layout;
    const taking = this.taking(layout);
    const reportOf = this.#reportIn(layout);
    const minority = apartFrom(layout, donor, taking, reportOf);
    if (minority.length === 0) {
      return true;
    }
    const agree = taking.filter((node) => reportOf(node).digest === donor.report.digest);
    const before = this.#apart.get(shard)?.minority ?? [];
    const { version } = donor.report;
    this.#apart.set(shard, { shard, version, minority: [...before, ...minority] });
    return 2 * agree.length > members.length;
  }

  fills(layout: ShardLayout, donor: Longest): Map<number, Fill> {
    return fillsFrom(layout, donor, this.taking(layout), this.#reportIn(layout));
  }

  /** Do all that the shard goes on with have the donor's history? */
  areOne(layout: ShardLayout, donor: Longest): boolean {
    const reportOf = this.#reportIn(layout);
    return !this.taking(layout).some((node) => needsFill(layout, donor.report, reportOf(node)));
  }

  /** That histories differ, to be read by people. */
  difference(layout: ShardLayout, donor: Longest): string {
    const apart = this.#apart.get(layout.shard)?.minority ?? this.taking(layout);
    const others = apart.filter((node) => node !== donor.node).map(String);
    const who = `members ${[donor.node, ...others].join(', ')}`;
    return `${who} hold different histories of shard ${String(layout.shard)}`;
  }

  #here({ shard, members }: ShardLayout): number[] {
    const expected = this.#expected.get(shard);
    return members.filter(
      (node) => this.#participants.includes(node) && expected?.has(node) === true,
    );
  }

  #isApart(shard: number, node: number): boolean {
    return this.#apart.get(shard)?.minority.includes(node) === true;
  }

  #reportIn({ shard }: ShardLayout): (node: number) => ShardReport {
    return (node) => {
      const report = this.#positions.get(shard)?.get(node);
      check(report !== undefined, 'every member of a shard has reported it', { shard, node });
      return report;
    };
  }
}
