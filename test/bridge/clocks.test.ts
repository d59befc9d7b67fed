import { afterEach, expect, test } from 'vitest';
import { clockColumns, clockWidth } from '../../platform/bridge/mod.ts';
import { until } from '../support/mod.ts';
import { NativeMember, startShard } from './native-member.ts';

const hourUs = 3_600_000_000;
const second = 1_000_000;
let open: NativeMember | null = null;

afterEach(() => {
  open?.close();
  open = null;
});

function openMember(): NativeMember {
  open = new NativeMember();
  return open;
}

function clocksOf({ addon, handle }: NativeMember) {
  const out = new Float64Array(clockWidth);
  expect(addon.clocks(handle, out)).toBe(0);
  const { wall, machine, newest } = clockColumns;
  const of = (column: number): number => out[column] ?? NaN;
  return { wall: of(wall), machine: of(machine), newest: of(newest) };
}

async function putTime(member: NativeMember): Promise<number> {
  const answer = await member.submit(1, '/a', Buffer.from('x'));
  expect(answer.status).toBe('OK');
  return answer.time;
}

async function shift(member: NativeMember, byUs: number, anew: boolean): Promise<void> {
  const { wall } = clocksOf(member);
  expect(member.addon.shiftClock(member.handle, byUs, anew)).toBe(0);
  await until(() => Math.abs(clocksOf(member).wall - wall - byUs) < 60 * second);
}

test('times come from the clock where it was moved to, and never go back', async () => {
  const member = openMember();
  const before = clocksOf(member);
  expect(Math.abs(before.wall - before.machine)).toBeLessThan(second);
  await startShard([member], 1, false, 1);
  await member.makePool(1);
  await shift(member, hourUs, false);
  const ahead = await putTime(member);
  expect(ahead).toBeGreaterThan(before.wall + hourUs - second);
  expect(clocksOf(member).newest).toBeGreaterThanOrEqual(ahead);

  await shift(member, -hourUs, true);
  const later = await putTime(member);
  expect(later).toBeGreaterThan(ahead);
  expect(later).toBeLessThan(ahead + 60 * second);
});

test('without an epoch the newest time seen is that of the stores, if it is to begin anew', async () => {
  const member = openMember();
  await shift(member, hourUs, false);
  await until(() => clocksOf(member).newest > clocksOf(member).machine + hourUs / 2);
  await shift(member, -hourUs, false);
  expect(clocksOf(member).newest).toBeGreaterThan(clocksOf(member).machine + hourUs / 2);
  await shift(member, 0, true);
  await until(() => clocksOf(member).newest < clocksOf(member).machine + second);
});

test('a wrong argument is a TypeError, one without end is refused', () => {
  const { addon, handle } = openMember();
  expect(() => addon.clocks(handle, new Float64Array(2))).toThrow(
    'clocks: out must be a Float64Array of at least 3',
  );
  expect(() => addon.shiftClock(handle, 0.5, true)).toThrow(TypeError);
  const invalid = -addon.statusNames.indexOf('INVALID_ARGUMENT');
  expect(addon.shiftClock(handle, Infinity, true)).toBe(invalid);
  addon.closeMember(handle);
  const closed = -addon.statusNames.indexOf('CLOSED');
  expect(addon.clocks(handle, new Float64Array(clockWidth))).toBe(closed);
  expect(addon.shiftClock(handle, 1, true)).toBe(closed);
});
