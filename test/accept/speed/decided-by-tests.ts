/** Lines that tests of the repository decide: those very tests are run, by name. */
import type { Check } from '../check.ts';
import { testsCheck } from '../tests-line.ts';

const conformance = 'test/integration/doors-conformance.test.ts';
const stall = 'test/integration/native-stall.test.ts';
const door = 'test/integration/native-door.test.ts';
const long = 'test/integration/long-values.test.ts';
const paused = 'test/unit/gateway/http-long-pauses.test.ts';
const pipelined = 'test/unit/gateway/http-long-pipelined.test.ts';
const shared = 'test/integration/shared-values.test.ts';

export const decidedByTests: readonly Check[] = [
  testsCheck('the native door', 'tests-native-door', [
    { name: 'no event loop, and a member that dies meanwhile', file: stall, tests: /go on while/ },
    { name: 'one suite for all doors', file: conformance, tests: null },
    { name: 'made once, whichever members die', file: stall, tests: /made once/ },
    { name: 'without gRPC: changes, reads, watches, triggers', file: door, tests: null },
  ]),
  testsCheck('copies', 'tests-shared-values', [
    { name: '64 MiB read by 8 lambdas: under 80 MiB more', file: shared, tests: /is one copy/ },
    { name: 'who writes into a value is alone with it', file: shared, tests: /runs again/ },
  ]),
  testsCheck('long values', 'tests-long-values', [
    { name: 'over 64 MiB through every door and member', file: long, tests: /^in '/ },
    { name: 'what is too long is refused before it is sent', file: long, tests: /^what is over/ },
    { name: 'no more than there is room for on the way out', file: long, tests: /^more than may/ },
    {
      name: 'clients that go leave all room for others',
      file: long,
      tests: /leave nothing behind/,
    },
    { name: 'so do pipelined puts', file: pipelined, tests: null },
    { name: 'as slowly as they come, but not standing still', file: paused, tests: null },
  ]),
];
