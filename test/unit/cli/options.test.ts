import { describe, expect, test } from 'vitest';
import { isFreshetError } from '../../../platform/base/mod.ts';
import { timeOf } from '../../../platform/cli/output.ts';
import { parseMoment, parseWhole } from '../../../platform/cli/session.ts';
import { programArgs, readRepositoryFile, runProgram } from '../../support/mod.ts';

const now = 1_795_245_793_641_123;

describe('a moment', () => {
  const moment = (text: string): number => parseMoment(text, '--at', now);

  test('is found again as it is shown, to the microsecond', () => {
    for (const micros of [now, 0, 999, 1000, 1001, -1, -1000, -999_001, 1_700_000_000_000_050]) {
      expect(moment(timeOf(micros))).toBe(micros);
    }
    expect(timeOf(now)).toBe('2026-11-21T07:23:13.641123Z');
  });

  test('is microseconds, a date, or so long ago', () => {
    expect(moment('1795245793641123')).toBe(now);
    expect(moment('2026-01-31')).toBe(Date.UTC(2026, 0, 31) * 1000);
    expect(moment('2026-01-31T12:00:00.0001+01:00')).toBe(Date.UTC(2026, 0, 31, 11) * 1000 + 100);
    expect(moment('-30s')).toBe(now - 30_000_000);
    expect(moment('-1.5m')).toBe(now - 90_000_000);
  });

  test('is refused by its option when it is none', () => {
    for (const text of ['yesterday', '', '-9999999d', '-5', '99999999999999999999']) {
      expect(() => moment(text)).toThrow(/^--at is/);
    }
  });
});

test('a count is whole', () => {
  expect(parseWhole('1e3', '--limit', 1, 5000)).toBe(1000);
  for (const text of ['1.5', '0', 'x', '', '6000']) {
    expect(() => parseWhole(text, '--limit', 1, 5000)).toThrow(/^--limit is/);
    try {
      parseWhole(text, '--limit', 1, 5000);
    } catch (error) {
      expect(isFreshetError(error, 'INVALID_ARGUMENT')).toBe(true);
    }
  }
});

test('the version is the one of the package', async () => {
  const args = programArgs('platform/cli/main.ts', '--version');
  const { code, stdout } = await runProgram(process.execPath, args);
  const { version } = JSON.parse(readRepositoryFile('package.json')) as {
    readonly version: string;
  };
  expect([code, stdout]).toEqual([0, `${version}\n`]);
});

describe('output that nobody takes', () => {
  const help = async (into: string) =>
    runProgram('/bin/sh', [
      '-c',
      `"$0" "$@" ${into}`,
      process.execPath,
      ...programArgs('platform/cli/main.ts', '--help'),
    ]);

  test('is a failure when there is no room for it', async () => {
    const { code, stderr } = await help('> /dev/full');
    expect(code).toBe(1);
    expect(stderr).toContain('DISK_FULL: The output cannot be written');
  });

  test('is none when the reader has seen enough', async () => {
    const { code, stderr } = await help('| head -0');
    expect([code, stderr]).toEqual([0, '']);
  });
});
