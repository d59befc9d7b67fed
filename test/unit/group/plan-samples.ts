import type { Report, ShardReport } from '../../../platform/group/group-messages.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { type CoreShard, type CoreView, encodeView } from '../../../platform/group/view-codec.ts';

/** Views and reports as the tests of restarts and joins need them. */

export function incarnationOf(node: number): string {
  return node.toString(16).padStart(16, '0');
}

/** Shard 1, which everyone holds, and shards of `replicas` members each. */
export function layoutOf(members: readonly number[], shards = 1, replicas = 2): Layout {
  return new Layout(members, [{ name: 'persistent', kind: 'persistent', shards, replicas }]);
}

export function shardOf(shard: number, epoch: number, seats: readonly number[]): CoreShard {
  const senders = seats.map((_, rank) => rank);
  const closed = seats.length === 0;
  return { shard, epoch, persistent: true, closed, members: seats, senders, membersMin: 1 };
}

/** Everyone sits at the seat of its node id. */
export function viewOf(
  number: number,
  parent: number,
  nodes: readonly number[],
  shards: readonly CoreShard[] = [shardOf(1, number, nodes)],
): CoreView {
  const members = nodes.map((node) => ({ node, seat: node, incarnation: incarnationOf(node) }));
  return { number, parent, members, shards, homes: [], layout: null };
}

export function reportOf(
  node: number,
  given: {
    readonly committed?: CoreView;
    readonly prepared?: CoreView;
    readonly ballot?: number;
    readonly adoptedAt?: number;
    readonly offered?: number;
    readonly shards?: ShardReport[];
  } = {},
): Report {
  const base64 = (view: CoreView | undefined): string =>
    view === undefined ? '' : encodeView(view).toString('base64');
  return {
    type: 'report',
    attempt: { leader: 1, number: 1 },
    incarnation: incarnationOf(node),
    ageMs: 0,
    committed: base64(given.committed),
    prepared: base64(given.prepared),
    ballot: String(given.ballot ?? 0),
    adoptedAt: given.adoptedAt ?? 0,
    offered: given.offered ?? 0,
    shards: given.shards ?? [],
  };
}

/** Where a member stands: its last record's place; histories of one place are alike. */
export function positionOf(epoch: number, sequence: number, given: Partial<ShardReport> = {}) {
  const digest = `${String(epoch)}.${String(sequence)}`;
  const position: ShardReport = {
    shard: 1,
    epoch,
    sequence,
    version: sequence + 1,
    digest,
    highest: epoch,
  };
  return { ...position, ...given };
}
