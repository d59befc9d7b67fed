/** Lines that tests of the repository decide: those very tests are run, by name. */
import type { Check } from '../check.ts';
import { testsCheck } from '../tests-line.ts';

const conformance = 'test/integration/doors-conformance.test.ts';
const stall = 'test/integration/native-stall.test.ts';
const door = 'test/integration/native-door.test.ts';
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
];
