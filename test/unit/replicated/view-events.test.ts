import { expect, test } from 'vitest';
import { EventStream, type GroupView } from '../../../platform/group/mod.ts';
import { currentView, type ViewSource, watchViews } from '../../../platform/replicated/mod.ts';

function groupOf() {
  const state = { number: 0, members: [] as readonly number[] };
  const ended: boolean[] = [];
  const changes = new EventStream<GroupView>(16, () => ended.push(true));
  const source = {
    holders: () => state.members,
    get status() {
      return { view: state.number, members: state.members };
    },
    watchView: () => changes,
  } as unknown as ViewSource;
  const become = (number: number, members: readonly number[]): void => {
    Object.assign(state, { number, members });
    changes.push({ number } as GroupView);
  };
  return { source, become, changes, ended };
}

test('views are told once each, with who joined and left', async () => {
  const { source, become, changes } = groupOf();
  become(0, []);
  expect(currentView(source, 2)).toBeNull();
  const views = watchViews(source, 2);
  become(1, [1, 2]);
  const first = await views.next();
  expect(first.value).toEqual({
    number: 1,
    members: [1, 2],
    joined: [1, 2],
    left: [],
    rank: 1,
    leader: 1,
  });
  // A change that is no view, then two views at once: what is there now is told.
  become(1, [1, 2]);
  become(2, [2]);
  become(3, [2, 4]);
  const next = await views.next();
  expect(next.value).toMatchObject({ number: 3, joined: [4], left: [1], rank: 0, leader: 2 });
  changes.end();
  expect((await views.next()).done).toBe(true);
});

test('who stops looking stops the group from telling', async () => {
  const { source, ended } = groupOf();
  await watchViews(source, 1).return?.();
  expect(ended).toEqual([true]);
});
