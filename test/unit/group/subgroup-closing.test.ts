import { afterEach, describe, expect, test, vi } from 'vitest';
import type { GroupEffect } from '../../../platform/group/group-events.ts';
import type { Closing } from '../../../platform/group/machine-types.ts';
import { SubgroupClosing } from '../../../platform/group/subgroup-closing.ts';
import type * as store from '../../../platform/store/closed-subgroups.ts';
import { closedRefusal } from '../../../platform/store/closed-subgroups.ts';
import { settle } from './world-faults.ts';
import { isNoticed, runRemovals } from './world-layouts.ts';

const forgets = vi.hoisted(() => ({ closings: false }));

vi.mock('../../../platform/store/closed-subgroups.ts', async (load) => {
  const whole: typeof store = await load();
  const closed: typeof whole.closedRefusal = (closing, view, first) =>
    whole.closedRefusal(forgets.closings ? { view: 0, subgroups: [] } : closing, view, first);
  return { ...whole, closedRefusal: closed };
});

afterEach(() => {
  forgets.closings = false;
});

const barn = { name: 'barn', first: 4 };
const milk = { name: 'milk', first: 2 };

describe('a pool may be made', () => {
  const closing: Closing = { view: 7, subgroups: [barn] };

  test.each([
    ['in a subgroup that is about to go, before that view', 6, barn.first, /barn is being taken/],
    ['in another one, before that view', 6, milk.first, null],
    ['in what is there in that view', 7, barn.first, null],
    ['in what is there in a later one', 9, barn.first, null],
    ['by a member that is behind', 5, milk.first, /does not know/],
    ['by a member without a view', 0, milk.first, /does not know/],
  ])('%s: view %i', (_, view, first, refused) => {
    const refusal = closedRefusal(closing, view, first);
    if (refused === null) expect(refusal).toBeNull();
    else
      expect(refusal).toMatchObject({
        code: 'NOT_CURRENT',
        retryable: true,
        message: expect.stringMatching(refused) as string,
      });
  });

  test('where nothing was ever closed, but not without a view', () => {
    const never = { view: 0, subgroups: [] };
    expect(closedRefusal(never, 1, 2)).toBeNull();
    expect(closedRefusal(never, 0, 2)).toMatchObject({ code: 'NOT_CURRENT' });
  });
});

describe('the member that leads', () => {
  function leader() {
    const closing = new SubgroupClosing();
    const effects: GroupEffect[] = [];
    const asked = (): Closing[] =>
      effects.splice(0).flatMap((effect) => (effect.type === 'close' ? [effect.closing] : []));
    const isClosed = (wanted: Closing): boolean => closing.isClosed(wanted, effects);
    const open = (): Closing[] => {
      closing.open(effects);
      return asked();
    };
    return { closing, asked, isClosed, open };
  }

  test('asks once, and again where that was in vain', () => {
    const { closing, asked, isClosed } = leader();
    const wanted = { view: 7, subgroups: [barn] };
    expect([isClosed(wanted), isClosed(wanted)]).toEqual([false, false]);
    expect(asked()).toEqual([wanted]);
    closing.onOutcome(wanted, false);
    const again = { ...wanted };
    expect([isClosed(again), asked()]).toEqual([false, [again]]);
    // Of the first: it is not what was asked for last.
    closing.onOutcome(wanted, true);
    expect(isClosed(again)).toBe(false);
    closing.onOutcome(again, true);
    expect([isClosed(again), asked()]).toEqual([true, []]);
    expect(isClosed({ view: 7, subgroups: [barn, milk] })).toBe(false);
  });

  test('needs nothing for a view that takes nothing away', () => {
    const { closing, isClosed } = leader();
    expect([isClosed({ view: 7, subgroups: [] }), closing.isPending]).toEqual([true, false]);
  });

  test('asks anew when another view came first', () => {
    const { closing, asked, isClosed } = leader();
    const wanted = { view: 7, subgroups: [barn] };
    isClosed(wanted);
    closing.onView(7);
    closing.onOutcome(wanted, true);
    expect([closing.isPending, isClosed({ ...wanted, view: 8 })]).toEqual([false, false]);
    expect(asked().map(({ view }) => view)).toEqual([7, 8]);
  });

  test('opens what it closed when it is to stay, also if it may have been in vain', () => {
    for (const done of [true, false]) {
      const { closing, asked, isClosed, open } = leader();
      const wanted = { view: 7, subgroups: [barn] };
      isClosed(wanted);
      expect([asked(), open()]).toEqual([[wanted], []]);
      closing.onOutcome(wanted, done);
      const [opened = wanted] = open();
      expect(opened).toEqual({ view: 7, subgroups: [] });
      closing.onOutcome(opened, false);
      const [again = wanted] = open();
      closing.onOutcome(again, true);
      expect([open(), closing.isPending]).toEqual([[], false]);
    }
  });

  test('opens nothing while a view may be on its way that takes it away', () => {
    const { closing, asked, isClosed, open } = leader();
    const wanted = { view: 7, subgroups: [barn] };
    isClosed(wanted);
    expect(asked()).toEqual([wanted]);
    closing.onOutcome(wanted, true);
    closing.onPropose({ leader: 1, number: 3 });
    closing.onPropose({ leader: 1, number: 4 });
    closing.onRefused({ leader: 1, number: 4 });
    expect(open()).toEqual([]);
    closing.onRefused({ leader: 1, number: 3 });
    expect(open()).toHaveLength(1);
  });
});

describe('from any seed', () => {
  test.each([1, 11, 21])(
    'no pool is lost with its subgroup, and none stays closed: %i',
    (first) => {
      let gone = 0;
      let refused = 0;
      for (let seed = first; seed < first + 10; seed++) {
        const world = runRemovals(seed);
        expect(settle(world), `seed ${String(seed)}: ${world.log.slice(-20).join('\n')}`).toBe(
          true,
        );
        for (const node of world.alive) {
          const { layout, status } = world.member(node)?.machine ?? {};
          for (const { name, shards } of layout?.subgroups ?? []) {
            const { closing } = world.pools;
            const refusal = closedRefusal(closing, status?.view ?? 0, shards[0]?.shard ?? 0);
            expect(refusal, `seed ${String(seed)}: ${name} at ${String(node)}`).toBeNull();
          }
        }
        gone += world.checks.takenAway;
        refused += world.pools.refused;
      }
      expect(gone).toBeGreaterThan(20);
      expect(refused).toBeGreaterThan(100);
    },
  );

  test('pools that are made in spite of it are noticed', () => {
    forgets.closings = true;
    expect(isNoticed('was lost with its subgroup', runRemovals)).toBe(true);
  });
});
