import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRepositoryFile, repositoryRoot, runProgram, tempFolder } from '../support/mod.ts';

const types = 'platform/wire/generated/freshet.ts';

test('the types of the wire are what npm run generate makes of the protobuf file', async () => {
  const folder = await tempFolder('wire');
  const { scripts } = JSON.parse(readRepositoryFile('package.json')) as {
    scripts: { generate: string };
  };
  const [program = '', ...args] = scripts.generate.split(' ');
  const buf = join(repositoryRoot, 'node_modules/.bin', program);
  const { code, stderr } = await runProgram(buf, [...args, '--output', folder], {
    cwd: repositoryRoot,
  });
  expect(code, stderr).toBe(0);
  const made = await readFile(join(folder, types), 'utf8');
  expect(readRepositoryFile(types) === made, `npm run generate would change ${types}`).toBe(true);
});
