import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot, runProgram, tempFolder } from '../../support/mod.ts';

const vitest = join(repositoryRoot, 'node_modules/vitest/vitest.mjs');
const reporter = join(repositoryRoot, 'test/config/skip-reporter.ts');

async function runSuite(source: string): Promise<string> {
  const folder = await tempFolder('reporter');
  const config = `
    import { SkipReporter } from ${JSON.stringify(reporter)};
    export default { test: { reporters: [new SkipReporter((text) => process.stdout.write(text))] } };`;
  await writeFile(join(folder, 'vitest.config.ts'), config);
  await writeFile(join(folder, 'a.test.ts'), source.replaceAll("'vitest'", JSON.stringify(api)));
  const { stdout } = await runProgram(process.execPath, [vitest, 'run'], { cwd: folder });
  return stdout;
}

const api = join(repositoryRoot, 'node_modules/vitest/dist/index.js');

test('what was skipped is listed by reason, with the command that enables it', async () => {
  const output = await runSuite(`
    import { expect, test } from 'vitest';
    test('one', (context) => context.skip('x is missing; to enable: get x'));
    test('two', (context) => context.skip('x is missing; to enable: get x'));
    test('three', () => {});`);
  expect(output).toContain(`Skipped: 2
  x is missing; to enable: get x
    a.test.ts > one
    a.test.ts > two
`);
});

test('nothing skipped is said too', async () => {
  const output = await runSuite(`
    import { test } from 'vitest';
    test('one', () => {});`);
  expect(output).toContain('Skipped: nothing.');
});
