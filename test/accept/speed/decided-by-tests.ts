/** Lines that tests of the repository decide: those very tests are run, by name. */
import type { Check } from '../check.ts';
import { testsCheck } from '../tests-line.ts';

const conformance = 'test/integration/doors-conformance.test.ts';
const stall = 'test/integration/native-stall.test.ts';
const door = 'test/integration/native-door.test.ts';

export const decidedByTests: readonly Check[] = [
  testsCheck('the native door', 'tests-native-door', [
    { name: 'no event loop, and a member that dies meanwhile', file: stall, tests: /go on while/ },
    { name: 'one suite for all doors', file: conformance, tests: null },
    { name: 'made once, whichever members die', file: stall, tests: /made once/ },
    { name: 'without gRPC: changes, reads, watches, triggers', file: door, tests: null },
  ]),
];
