import { expect, test } from 'vitest';
import { programArgs, runProgram } from '../support/mod.ts';

function doctor(...words: readonly string[]) {
  return runProgram(process.execPath, programArgs('platform/cli/main.ts', ...words));
}

test('freshet doctor says what this machine has of every transport', async () => {
  const { code, stdout, stderr } = await doctor('doctor');
  expect([code, stderr]).toEqual([0, '']);
  const titles = stdout.split('\n').filter((line) => /^\S/.test(line));
  expect(titles.map((line) => line.split(' ')[0])).toEqual([
    'tcp',
    'fabric/verbs',
    'fabric/tcp',
    'fabric/shm',
  ]);
  expect(titles[0]).toMatch(/ready$/);
});

test('it fails by name for one that cannot be used, and for one that there is not', async () => {
  // Loopback has no device of verbs anywhere.
  const verbs = await doctor('--json', 'doctor', '--transport', 'fabric/verbs');
  expect(verbs.code).not.toBe(0);
  expect(verbs.stderr).toContain('NO_FABRIC');
  const report = JSON.parse(verbs.stdout) as { transports: { refusal: string }[] };
  expect(report.transports.map(({ refusal }) => refusal)).toEqual(['NO_FABRIC']);
  const other = await doctor('doctor', '--transport', 'udp');
  expect([other.code === 0, other.stderr]).toEqual([false, expect.stringContaining('fabric/shm')]);
});
