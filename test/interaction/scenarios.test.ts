import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { requireEnclosure } from '../support/enclosure.ts';
import { repositoryRoot, runProgram, tempFolder } from '../support/mod.ts';

const folder = join(repositoryRoot, 'test', 'interaction', 'scenarios');

/** Compiled by `npm test`, which then says so. */
const program =
  process.env['FRESHET_TEST_COMPILED'] === '1'
    ? [join(repositoryRoot, 'dist', 'test', 'interaction', 'main.js')]
    : ['--import', 'tsx', fileURLToPath(new URL('main.ts', import.meta.url))];

test.for(readdirSync(folder))('%s', async (file, context) => {
  requireEnclosure(context);
  // Where its data goes: removed with the test, even when the program is killed.
  const env = { TMPDIR: await tempFolder('scenario') };
  const words = [...program, join(folder, file)];
  const { code, stdout, stderr } = await runProgram(process.execPath, words, { env });
  expect(code, `${stdout}\n${stderr}`).toBe(0);
});
