import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import {
  requireThat,
  requireTool,
  type Skippable,
  tempFolder,
  testData,
} from '../../support/mod.ts';

class Skipped extends Error {}

const context: Skippable = {
  skip: (note?: string | boolean): never => {
    throw new Skipped(String(note));
  },
};

afterEach(() => {
  vi.unstubAllEnvs();
});

test('a tool that is there is given with its path', async () => {
  const folder = await tempFolder();
  await writeFile(join(folder, 'clang++'), '', { mode: 0o755 });
  vi.stubEnv('PATH', `/nowhere:${folder}`);
  expect(requireTool(context, 'clang++')).toBe(join(folder, 'clang++'));
});

test('a tool that is missing skips the test and names the command that enables it', () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('FRESHET_TEST_REQUIRE', '');
  const call = () => requireTool(context, 'clang++');
  expect(call).toThrow(Skipped);
  expect(call).toThrow('clang++ is missing; to enable: sudo apt-get install clang');
});

test('with FRESHET_TEST_REQUIRE=all what is missing fails the test', () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('FRESHET_TEST_REQUIRE', 'all');
  for (const call of [
    () => requireTool(context, 'tc'),
    () => requireThat(context, false, 'no rights', 'sudo npm test'),
  ]) {
    expect(call).toThrow('forbids the skip');
    expect(call).not.toThrow(Skipped);
  }
  expect(() => requireThat(context, true, 'unused', 'unused')).not.toThrow();
});

test('outside data is found where FRESHET_TEST_DATA says', async () => {
  const folder = await tempFolder();
  await mkdir(join(folder, 'images'));
  vi.stubEnv('FRESHET_TEST_DATA', folder);
  expect(testData(context, 'images')).toBe(join(folder, 'images'));
});

test('absent outside data is a skip even with FRESHET_TEST_REQUIRE=all', () => {
  vi.stubEnv('FRESHET_TEST_DATA', '/nowhere');
  vi.stubEnv('FRESHET_TEST_REQUIRE', 'all');
  const call = () => testData(context, 'images', 'cow.jpg');
  expect(call).toThrow(Skipped);
  expect(call).toThrow('outside data …/images/cow.jpg is absent');
});
