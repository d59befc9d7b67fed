import { expect, test } from 'vitest';
import { FreshetError, ManualClock, silentLogger } from '../../../platform/base/mod.ts';
import { LogCare } from '../../../platform/group/log-care.ts';
import type { MemberCore } from '../../../platform/group/member-core.ts';
import { defaultMulticast, type ShardLayout } from '../../../platform/group/mod.ts';
import type { PeerMessages } from '../../../platform/group/peer-messages.ts';
import { until } from '../../support/mod.ts';

const shard = 1;
const layout = { shard, persistent: true } as ShardLayout;
const hole = { segment: 0, begin: 64, end: 128, before: [1, 1], behind: [1, 3] };

/** A shard whose log is damaged until `isWhole`, and that is opened once; its native side. */
function setUp() {
  const clock = new ManualClock();
  const state = { isWhole: false, isOpen: false, refusals: 0, ends: 0 };
  const opened: string[] = [];
  /** The log is read from disk. */
  const read = (): Promise<null> => {
    state.isOpen = state.isWhole;
    return state.isWhole
      ? Promise.resolve(null)
      : Promise.reject(new FreshetError('LOG_CORRUPT', 'A log is damaged'));
  };
  const core = {
    nodeId: 1,
    handle: null,
    closed: false,
    addon: { surveyLog: () => 'survey', setShardRules: () => 'rules', watchLag: () => undefined },
    listen: () => undefined,
    setMender: () => undefined,
    endSubscriptions: () => state.ends++,
    cutBack: read,
    shardState: () =>
      state.isOpen
        ? Promise.resolve(Buffer.from('{}'))
        : Promise.reject(new FreshetError('NOT_A_MEMBER', 'Not open')),
    openShard: () => {
      const code = state.isOpen ? 'INVALID_ARGUMENT' : state.isWhole ? 'OK' : 'LOG_CORRUPT';
      opened.push(code);
      if (code !== 'OK') return Promise.reject(new FreshetError(code, 'Opening was refused'));
      state.isOpen = true;
      return Promise.resolve(null);
    },
    call: async (_what: string, run: (token: number) => unknown) => {
      if (run(1) !== 'survey') return null;
      await new Promise(setImmediate);
      const holes = state.isWhole ? [] : [hole];
      return Buffer.from(JSON.stringify({ holes, end: [0, 256] }));
    },
  };
  const care = new LogCare({
    scrubEveryMs: 0,
    compareEveryMs: 0,
    scrubBytesPerSecond: 1,
    core: core as unknown as MemberCore,
    messages: { handle: () => undefined, up: new Set() } as unknown as PeerMessages,
    layoutNow: () => {
      throw new Error('nobody asks');
    },
    rulesOf: () => ({ raw: false, lagAfterMs: 0, multicast: defaultMulticast }),
    homes: () => [1, 2],
    runsWithoutMe: () => false,
    dataFolder: '/nowhere',
    shardMemoryBytes: 1,
    clock,
    log: silentLogger(),
    onRefusals: () => state.refusals++,
  });
  return { care, clock, core, state, opened };
}

test('a damaged shard that two views want mended is opened once', async () => {
  const { care, clock, state, opened } = setUp();
  await care.open(layout);
  await care.openRest();
  expect(care.refusalOf(shard)).toMatchObject({ code: 'LOG_CORRUPT' });
  state.isWhole = true;
  care.seeView(16);
  clock.advance(1);
  // While the first one looks at the log.
  care.seeView(17);
  clock.advance(1);
  await until(() => care.refusalOf(shard) === null);
  await care.openRest();
  expect(opened).toEqual(['LOG_CORRUPT', 'OK']);
});

test('a shard whose cut finds damage stays closed until it is mended', async () => {
  const { care, state, opened } = setUp();
  state.isWhole = true;
  await care.open(layout);
  state.isWhole = false;
  await expect(care.cutBack(shard, [1, 3])).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  // Before, and again as another store may have been there.
  expect(state.ends).toBe(2);
  state.isWhole = true;
  await care.openRest();
  expect(opened).toEqual(['OK', 'OK']);
  expect(care.refused).toEqual([]);
});

test('a shard that a refused cut has left open is not opened again', async () => {
  const { care, core, state, opened } = setUp();
  state.isWhole = true;
  await care.open(layout);
  core.cutBack = () => Promise.reject(new FreshetError('INVALID_ARGUMENT', 'It runs'));
  await expect(care.cutBack(shard, [1, 3])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await care.openRest();
  expect(opened).toEqual(['OK']);
});
