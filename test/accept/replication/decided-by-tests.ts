/** Lines that tests of the repository decide: those very tests are run, by name. */
import type { Check } from '../check.ts';
import { testsCheck } from '../tests-line.ts';

const views = 'test/integration/views.test.ts';
const restart = 'test/integration/restart.test.ts';
const repair = 'test/integration/log-repair.test.ts';
const layout = 'test/integration/layout.test.ts';
const layoutChange = 'test/integration/layout-change.test.ts';
const layoutRemoval = 'test/integration/layout-removal.test.ts';
const layoutSeeds = 'test/unit/group/layout-change.test.ts';
const channel = 'test/integration/channel.test.ts';
const replicated = 'test/integration/replicated.test.ts';
const examples = 'test/integration/examples.test.ts';
const scenarios = 'test/interaction/scenarios.test.ts';
const worlds = 'test/unit/group/group-machine.test.ts';
const simulated = 'test/simulation';

export const decidedByTests: readonly Check[] = [
  testsCheck('views', 'tests-views', [
    { name: 'kill -9 of one member, also the leader, under load', file: views, tests: /kill -9/ },
    { name: 'a shard that lost all members, or its minimum', file: views, tests: /shards of some/ },
    { name: 'restarts and joins under faults, with canaries', file: worlds, tests: null },
  ]),
  testsCheck('restart', 'tests-restart', [
    { name: 'of all, of a majority, of the leader', file: restart, tests: /kill -9/ },
    { name: 'a wiped disk is filled by the others', file: restart, tests: /wiped/ },
    { name: 'a retry under a session is applied once', file: restart, tests: /retry under/ },
    { name: 'what is stable is not told too early', file: restart, tests: /what is stable/ },
  ]),
  testsCheck('repair', 'tests-repair', [
    { name: 'damage at open, on read, by the scrub', file: repair, tests: /damaged/ },
    { name: 'a history that differs stops that shard alone', file: repair, tests: /differs/ },
    {
      name: 'freshet verify, also with members that differ or are away',
      file: 'test/integration/verify-command.test.ts',
      tests: null,
    },
  ]),
  testsCheck('simulation', 'tests-simulation', [
    {
      name: 'the same seed, the same trace; a shard begun anew',
      file: `${simulated}/world.test.ts`,
      tests: null,
    },
    {
      name: 'a broken rule is missed by the checkers',
      file: `${simulated}/canaries.test.ts`,
      tests: null,
    },
    { name: 'power cuts, torn and lost writes', file: `${simulated}/disks.test.ts`, tests: null },
    {
      name: "the threads of Derecho's repository",
      file: `${simulated}/threads.test.ts`,
      tests: null,
    },
    {
      name: 'a loop that stands still, a donor that dies, shards that go on amid a view',
      file: `${simulated}/scripted.test.ts`,
      tests: null,
    },
  ]),
  testsCheck('join', 'tests-join', [
    { name: 'host names and IPv6', file: 'test/integration/addresses.test.ts', tests: null },
    { name: 'graceful leave', file: 'test/integration/leave.test.ts', tests: null },
    {
      name: 'the tail alone is fetched',
      file: 'test/unit/group/shard-filler.test.ts',
      tests: null,
    },
    {
      name: 'spares promoted, shards moved under load',
      file: 'test/integration/spares.test.ts',
      tests: null,
    },
  ]),
  testsCheck('sessions', 'tests-sessions', [
    {
      name: 'a retry through another member',
      file: 'test/integration/client-sessions.test.ts',
      tests: null,
    },
    { name: 'of every door', file: 'test/integration/doors-sessions.test.ts', tests: null },
  ]),
  testsCheck('layout', 'tests-layout', [
    { name: 'typed configuration and its refusals', file: layout, tests: null },
    {
      name: 'plans over joins, leaves and crashes',
      file: 'test/unit/group/shard-plan.test.ts',
      tests: null,
    },
    { name: 'changed online, under load and kill -9', file: layoutChange, tests: null },
    {
      name: 'whole shards moved and balanced, under load',
      file: 'test/integration/layout-balance.test.ts',
      tests: null,
    },
    { name: 'a subgroup taken away', file: layoutRemoval, tests: null },
    { name: 'changed online, from seeds', file: layoutSeeds, tests: null },
    { name: "Cascade's layout.json", file: 'test/unit/group/cascade-layout.test.ts', tests: null },
  ]),
  testsCheck('a slow member', 'tests-slow-member', [
    {
      name: 'demoted, fed, let in again; what was acknowledged is found',
      file: 'test/integration/slow-member.test.ts',
      tests: null,
    },
    {
      name: 'wait, suspect, demote, beside all other faults',
      file: 'test/unit/group/slow-members.test.ts',
      tests: null,
    },
  ]),
  testsCheck('real processes', 'tests-processes', [
    { name: 'cut, one way too, delayed, healed', file: scenarios, tests: /partitions/ },
    { name: 'kill -9, SIGSTOP, all event loops stopped', file: scenarios, tests: /crashes/ },
    { name: 'a full disk', file: scenarios, tests: /full-disk/ },
  ]),
  testsCheck('replicated', 'tests-replicated', [
    { name: 'ordered and p2p calls, snapshot, restore', file: replicated, tests: null },
    { name: 'mcast, fbcast, cbcast, abcast, flush', file: channel, tests: null },
    { name: 'raw delivery', file: 'test/integration/raw-delivery.test.ts', tests: null },
    {
      name: 'causal order and virtual synchrony from seeds, with canaries',
      file: 'test/unit/replicated/cast-machine.test.ts',
      tests: null,
    },
    { name: 'the seven programs of the lectures', file: examples, tests: null },
  ]),
];
