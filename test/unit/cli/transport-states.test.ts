import { expect, test } from 'vitest';
import type { FabricReport } from '../../../platform/bridge/mod.ts';
import { transportState } from '../../../platform/cli/transport-states.ts';

const statusNames = ['OK', 'NO_FABRIC', 'UNORDERED_FABRIC', 'MEMLOCK_TOO_LOW'];
const whole: FabricReport = {
  compiled: true,
  library: '1.17',
  status: 0,
  domain: 'rxe0',
  ordered: true,
  pins: true,
  memlock: Infinity,
};

function stateOf(change: Partial<FabricReport>) {
  const asked: unknown[] = [];
  const inspectFabric = (kind: number, host: string): FabricReport => {
    asked.push(kind, host);
    return { ...whole, ...change };
  };
  const state = transportState({ statusNames, inspectFabric }, 'fabric/verbs', '10.0.0.1');
  expect(asked).toEqual([1, '10.0.0.1']);
  return state;
}

test('a transport that is there says what it is made of', () => {
  expect(stateOf({})).toEqual({
    transport: 'fabric/verbs',
    refusal: null,
    facts: [
      'libfabric 1.17',
      'device rxe0',
      'keeps writes in order',
      'memory that may be locked: any',
    ],
    mend: null,
  });
});

test('the built-in one is always there', () => {
  const inspectFabric = () => whole;
  expect(transportState({ statusNames, inspectFabric }, 'tcp', '::1').refusal).toBeNull();
});

test.each([
  [
    { compiled: false, library: '', domain: '', status: -1 },
    'NO_FABRIC',
    /headers/,
    /libfabric-dev/,
  ],
  [{ library: '', domain: '', status: -1 }, 'NO_FABRIC', /libfabric\.so\.1/, /libfabric1/],
  [{ domain: '', status: -1 }, 'NO_FABRIC', /no device .* 10\.0\.0\.1/, /address of a device/],
  [{ ordered: false, status: -2 }, 'UNORDERED_FABRIC', /order of writes/, /another provider/],
  [{ memlock: 8 << 20, status: -3 }, 'MEMLOCK_TOO_LOW', /locked: 8 MiB/, /ulimit -l/],
] as const)('what is missing is named: %j', (change, refusal, fact, mend) => {
  const state = stateOf(change);
  expect(state.refusal).toBe(refusal);
  expect(state.facts.join('\n')).toMatch(fact);
  expect(state.mend).toMatch(mend);
});
