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

/** A shard whose log is damaged until `isWhole`, and that is opened once. */
function setUp() {
  const clock = new ManualClock();
  const state = { isWhole: false, isOpen: false, refusals: 0 };
  const opened: string[] = [];
  const core = {
    nodeId: 1,
    handle: null,
    closed: false,
    addon: { surveyLog: () => 'survey', setShardRules: () => 'rules', watchLag: () => undefined },
    listen: () => undefined,
    setMender: () => undefined,
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
  return { care, clock, state, opened };
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
