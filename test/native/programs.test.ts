import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import {
  findTool,
  listRepositoryFiles,
  repositoryRoot,
  requireTool,
  runProgram,
} from '../support/mod.ts';

// The C++ tests are built by `npm test`, one program a file, and registered with ctest.
const build = join(repositoryRoot, 'build', 'native');

interface Listing {
  readonly tests: readonly { readonly name: string; readonly command?: readonly string[] }[];
}

function listTests(): readonly string[] {
  if (findTool('ctest') === null || !existsSync(join(build, 'CTestTestfile.cmake'))) {
    return [];
  }
  const output = execFileSync('ctest', ['--test-dir', build, '--show-only=json-v1']);
  return (JSON.parse(output.toString()) as Listing).tests.map(({ name }) => name);
}

const names = listTests();
const sources = listRepositoryFiles().filter((path) => /^test\/native\/\w+_test\.cc$/.test(path));

test('every native test file is built and registered (by `npm test`)', (context) => {
  requireTool(context, 'ctest');
  expect([...names].sort()).toEqual(sources.map((path) => basename(path, '.cc')));
});

test.each(names)('%s', async (name) => {
  const pattern = `^${name.replaceAll(/[^\w]/g, '\\$&')}$`;
  const args = ['--test-dir', build, '-R', pattern, '--output-on-failure', '--no-tests=error'];
  const { code, stdout, stderr } = await runProgram('ctest', args);
  expect(code, stdout + stderr).toBe(0);
});
