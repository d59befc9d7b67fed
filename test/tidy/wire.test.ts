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
  const [generate = '', rewrite = ''] = scripts.generate.split(' && ');
  const [program = '', ...args] = generate.split(' ');
  const buf = join(repositoryRoot, 'node_modules/.bin', program);
  await run(buf, [...args, '--output', folder]);
  const [, script = ''] = rewrite.split(' ');
  await run(process.execPath, [script, join(folder, types)]);
  const made = await readFile(join(folder, types), 'utf8');
  expect(readRepositoryFile(types) === made, `npm run generate would change ${types}`).toBe(true);
});

async function run(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram(program, [...args], { cwd: repositoryRoot });
  expect(code, stderr).toBe(0);
}
