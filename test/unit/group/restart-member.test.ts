/** What a member took part in for a leader of a restart counts no more once it follows another. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { GroupEffect } from '../../../platform/group/group-events.ts';
import { GroupMachine } from '../../../platform/group/group-machine.ts';
import type { Attempt, GroupMessage, Report } from '../../../platform/group/group-messages.ts';
import { blankCore } from '../../../platform/group/group-state.ts';
import { type CoreView, encodeView } from '../../../platform/group/view-codec.ts';
import { layoutToText } from '../../../platform/group/view-layout.ts';
import { noView } from '../../../platform/group/view-record.ts';
import { incarnationOf, layoutOf, positionOf, viewOf } from './plan-samples.ts';

const layout = layoutOf([1, 2, 3]);
const ringSize = 65_536;
const layoutText = layoutToText(null);
/** Of the leaders 1 and 3. */
const first: Attempt = { leader: 10, number: 1 };
const second: Attempt = { leader: 30, number: 1 };
/** What each of them begins, by its attempt. */
const views = new Map([
  [first, viewOf(5, 0, [1, 2])],
  [second, viewOf(7, 0, [2, 3])],
]);
/** Another one, that goes on. */
const running = viewOf(9, 7, [1, 2, 3]);

/** Member 2, which has no disk. */
class Follower {
  readonly machine = new GroupMachine({
    me: 2,
    layout,
    run: 20,
    incarnation: incarnationOf(2),
    record: noView,
    ringSize,
    replaceAfterMs: null,
    poolsIn: () => [],
    maxClockSkewMs: 500,
    nowMs: 0,
  });

  enter(event: Parameters<GroupMachine['onEvent']>[0]): readonly GroupEffect[] {
    return this.machine.onEvent(event, 1000);
  }

  /** Told by a leader: what it does for that. */
  told(from: number, message: GroupMessage): readonly string[] {
    const effects = this.enter({ type: 'message', from, message });
    return effects.map(({ type }) => type).filter((type) => type !== 'log' && type !== 'changed');
  }

  /** Its positions were read: what it answers. */
  answer(attempt: Attempt): GroupMessage | undefined {
    const shards = [positionOf(1, 3)];
    const effects = this.enter({ type: 'states', attempt, shards, record: null });
    return effects.find((effect) => effect.type === 'send')?.message;
  }

  /** What a leader is told that has no part in it any more. */
  refusal(from: number, message: GroupMessage): GroupMessage | undefined {
    const effects = this.enter({ type: 'message', from, message });
    expect(effects.map(({ type }) => type)).toEqual(['send']);
    const sent = effects.find((effect) => effect.type === 'send');
    return sent?.to === from ? sent.message : undefined;
  }

  report(from: number, attempt: Attempt): Report {
    expect(this.told(from, { type: 'collect', attempt })).toEqual(['readStates']);
    return this.answer(attempt) as Report;
  }

  /** All steps of the first leader up to this one. */
  prepare(): void {
    this.report(1, first);
    expect(this.told(1, sealOf(first))).toEqual(['stopShards']);
    expect(this.answer(first)).toMatchObject({ type: 'sealed' });
    expect(this.told(1, prepareOf(first))).toEqual(['prepare']);
    this.enter({ type: 'done', attempt: first });
  }

  core(installed: CoreView | null, incarnation: string): void {
    this.enter({ type: 'core', core: { ...blankCore, installed, incarnation }, proposal: null });
  }
}

function sealOf(attempt: Attempt): GroupMessage {
  return { type: 'seal', attempt, view: 5, layout: layoutText, shards: [1] };
}

function prepareOf(attempt: Attempt): GroupMessage {
  const view = encodeView(views.get(attempt) as CoreView).toString('base64');
  return { type: 'prepare', attempt, before: '', view, apart: [] };
}

const refused = { type: 'failed', attempt: first };
let follower: Follower;

beforeEach(() => {
  follower = new Follower();
});

describe('what a member does for the leader of a restart', () => {
  test('is begun once it was prepared', () => {
    follower.prepare();
    expect(follower.told(1, { type: 'start', attempt: first })).toEqual(['start']);
  });

  test('is not prepared any more when another one leads', () => {
    follower.report(1, first);
    follower.report(3, second);
    expect(follower.refusal(1, prepareOf(first))).toMatchObject(refused);
    expect(follower.told(3, prepareOf(second))).toEqual(['prepare']);
  });

  test('is not begun any more when another one has it prepare', () => {
    follower.prepare();
    follower.report(3, second);
    follower.told(3, prepareOf(second));
    follower.enter({ type: 'done', attempt: second });
    expect(follower.refusal(1, { type: 'start', attempt: first })).toMatchObject(refused);
    expect(follower.told(3, { type: 'start', attempt: second })).toEqual(['start']);
  });

  test('is not begun any more when a view lets it in', () => {
    follower.prepare();
    const common = { fills: [], shards: [], layout: layoutText };
    expect(follower.told(3, { type: 'admit', attempt: second, ...common })).toEqual(['admit']);
    expect(follower.refusal(1, { type: 'start', attempt: first })).toMatchObject(refused);
  });

  test('is told to be over to a leader that waits for it: a fill may take ten minutes', () => {
    follower.report(1, first);
    expect(follower.told(1, sealOf(first))).toEqual(['stopShards']);
    follower.answer(first);
    // While the first stands still; it comes to nothing, as what the first knows is lacking.
    follower.report(3, second);
    expect(follower.refusal(1, { type: 'fill', attempt: first, fills: [] })).toMatchObject(refused);
    expect(follower.report(1, { leader: 10, number: 2 })).toMatchObject({ type: 'report' });
  });
});

test('a member of a view takes part in no restart', () => {
  follower.core(running, incarnationOf(2));
  expect(follower.told(3, { type: 'collect', attempt: second })).toEqual([]);
});

describe('a member that was in a view after that and comes back', () => {
  beforeEach(() => {
    follower.prepare();
    follower.core(running, incarnationOf(2));
    follower.core(null, incarnationOf(22));
  });

  test('tells of that view, not of what it had prepared', () => {
    const { committed, prepared } = follower.report(3, second);
    expect(committed).toBe(encodeView(running).toString('base64'));
    expect(prepared).toBe('');
  });

  test('tells for which number it had offered its records', () => {
    expect(follower.report(3, second).offered).toBe(5);
  });
});
