import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot, runProgram, tempFolder } from '../../support/mod.ts';

const program = join(repositoryRoot, '.ci/count.mjs');

interface Case {
  readonly stages?: number;
  readonly vitest?: unknown;
  readonly ctest?: string;
}

async function count({
  stages = 0,
  vitest,
  ctest,
}: Case): Promise<readonly [string, number | null]> {
  const folder = await tempFolder('count');
  if (vitest !== undefined) {
    await writeFile(join(folder, 'vitest.json'), JSON.stringify(vitest));
  }
  if (ctest !== undefined) {
    await writeFile(join(folder, 'sanitize-address.xml'), ctest);
  }
  const { stdout, code } = await runProgram(process.execPath, [program, String(stages), folder]);
  return [stdout, code];
}

const file = (status: string, ...states: readonly string[]) => ({
  status,
  assertionResults: states.map((state) => ({ status: state })),
});
const suite = (tests: number, failures: number, skipped: number) =>
  `<?xml version="1.0"?>\n<testsuite name="x"\n\ttests="${tests}"\n\tfailures="${failures}"\n` +
  `\tdisabled="0"\n\tskipped="${skipped}"\n\thostname="">\n</testsuite>\n`;

test('sums the tests of both reports', async () => {
  const vitest = {
    success: true,
    testResults: [file('passed', 'passed', 'skipped'), file('passed', 'passed', 'passed')],
  };
  expect(await count({ vitest, ctest: suite(7, 0, 1) })).toEqual([
    '9 passed, 0 failed, 2 skipped\n',
    0,
  ]);
});

test('a failed test is counted once and fails', async () => {
  const vitest = { success: false, testResults: [file('failed', 'passed', 'failed', 'failed')] };
  expect(await count({ vitest })).toEqual(['1 passed, 2 failed, 0 skipped\n', 1]);
});

test('a file that could not be loaded is a failure', async () => {
  const vitest = { success: false, testResults: [file('failed'), file('passed', 'passed')] };
  expect(await count({ vitest })).toEqual(['1 passed, 1 failed, 0 skipped\n', 1]);
});

test('an error outside any test is a failure', async () => {
  const vitest = { success: false, testResults: [file('passed', 'passed')] };
  expect(await count({ vitest })).toEqual(['1 passed, 1 failed, 0 skipped\n', 1]);
});

test('a failed stage is a failure, its own failed tests are counted once', async () => {
  const vitest = { success: true, testResults: [file('passed', 'passed')] };
  expect(await count({ stages: 1, vitest })).toEqual(['1 passed, 1 failed, 0 skipped\n', 1]);
  expect(await count({ stages: 1, vitest, ctest: suite(5, 2, 0) })).toEqual([
    '4 passed, 2 failed, 0 skipped\n',
    1,
  ]);
});

test('tests that left no report have not passed', async () => {
  expect(await count({})).toEqual(['0 passed, 1 failed, 0 skipped\n', 1]);
});
