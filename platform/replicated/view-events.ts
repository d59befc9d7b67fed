/**
 * The group's views as programs see them: who is in, who came, who went.
 *
 * Invariants
 *  1. Numbers grow; a view is told once. Views that follow each other at once may be told as one,
 *     and then what joined and left is told over all of them.
 *  2. Number and members are of one view.
 */
import { EventStream, type Group } from '../group/mod.ts';
import { replicatedLimits } from './replicated-limits.ts';

/** A view: who works together, alike at all who are in it. */
export interface ViewEvent {
  /** Grows with every view. */
  readonly number: number;
  /** Node ids in rank order. */
  readonly members: readonly number[];
  /** Since the view that was told before; in the first event all are new. */
  readonly joined: readonly number[];
  readonly left: readonly number[];
  /** Place of this member; -1: it is not in the view. */
  readonly rank: number;
  /** Node id of the member with rank 0. */
  readonly leader: number;
}

/** What of a group is looked at. */
export type ViewSource = Pick<Group, 'layout' | 'holders' | 'status' | 'watchView'>;

/** The view now; null: none runs yet. `shard`: only its members, in their rank order. */
export function currentView(group: ViewSource, me: number, shard?: number): ViewEvent | null {
  const { view: number, members: all } = group.status;
  if (number === 0) {
    return null;
  }
  const members = shard === undefined ? all : [...group.holders(shard)];
  const leader = members[0] ?? 0;
  return { number, members, joined: members, left: [], rank: members.indexOf(me), leader };
}

/** The view now, then each that follows, until the iterator is returned or the member closes. */
export function watchViews(
  group: ViewSource,
  me: number,
  shard?: number,
): AsyncIterableIterator<ViewEvent> {
  const changes = group.watchView();
  const views: EventStream<ViewEvent> = new EventStream(replicatedLimits.waitingEvents, () => {
    void changes.return();
  });
  const follow = async (): Promise<void> => {
    let before: ViewEvent | null = null;
    for await (const change of changes) {
      // A change that was held up tells an older view; what is told is read at once, as one.
      const view = change.number === 0 ? null : currentView(group, me, shard);
      if (view !== null && view.number !== before?.number) {
        views.push(since(before, view));
        before = view;
      }
    }
    views.end();
  };
  void follow();
  return views;
}

function since(before: ViewEvent | null, view: ViewEvent): ViewEvent {
  const old = before?.members ?? [];
  return {
    ...view,
    joined: view.members.filter((node) => !old.includes(node)),
    left: old.filter((node) => !view.members.includes(node)),
  };
}
