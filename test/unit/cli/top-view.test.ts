import { expect, it } from 'vitest';
import { topLines, type TopSample } from '../../../platform/cli/top-view.ts';

const sample = (at: number, version: number, succeeded: number): TopSample => ({
  node: 1,
  view: 3,
  at,
  // Of each second: half waited, 5 ms copied.
  counters: {
    protocolNanos: at * 395_000,
    copyNanos: at * 5000,
    systemNanos: at * 100_000,
    idleNanos: at * 500_000,
    copiedBytes: at * 2 ** 11,
  },
  shards: [
    {
      shard: 2,
      subgroup: 'volatile',
      epoch: 1,
      deliveredVersion: version,
      persistedVersion: 0,
      stopped: null,
      observedLagMs: 120,
    },
    {
      shard: 3,
      subgroup: 'volatile',
      epoch: 1,
      deliveredVersion: 10,
      persistedVersion: 0,
      stopped: 'SHARD_STOPPED',
      observedLagMs: null,
    },
  ],
  waits: [{ shard: 3, node: 2, kind: 'received', waitedMs: 412 }],
  stages: [
    {
      name: 's',
      prefix: '/a',
      lambda: 'x',
      waiting: 4,
      inFlight: 1,
      restarts: 0,
      succeeded,
      failed: 2,
    },
  ],
});

it('shows rates between two samples, stopped shards and members that are down', () => {
  const members = [
    { nodeId: 1, host: 'a', up: true },
    { nodeId: 2, host: 'b', up: false },
  ];
  const lines = topLines(sample(1000, 100, 50), sample(3000, 300, 56), members, 'waiting for 2', [
    { key: '/r/1', text: '{}' },
    { key: '/r/2', text: '\u001b[31mred\u0007\u009b' },
  ]);
  const text = lines.join('\n');
  expect(text).toMatch(/view 3 {2}waiting for 2/);
  expect(text).toMatch(/member 2 {2}b {2}DOWN/);
  expect(text).toContain('member 2 is slow in shard 3: waited 412 ms until it had received');
  expect(text).toContain('observes shard 2, up to 120 ms behind');
  const shares = 'protocol 39.5 %  copy 0.5 %  system 10.0 %  idle 50.0 %  copied 2.0 MiB/s';
  expect(text).toContain(`agent of member 1  ${shares}`);
  expect(text).toMatch(/volatile +2 +100\.0 +310 +1/);
  expect(text).toMatch(/\/a x +3\.0 +4 +1 +56 +2 +0/);
  expect(text).toMatch(/\/r\/1 {2}\{\}/);
  expect(lines.at(-1)).toBe('  /r/2  ·[31mred··');
});
