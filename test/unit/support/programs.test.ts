import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort, makeTempFolder, runProgram, spawnProgram } from '../../support/mod.ts';

const node = process.execPath;

test('a program is run to its end', async () => {
  const script = 'process.stdin.pipe(process.stdout); console.error(process.env.A, process.env.B)';
  const { code, signal, stdout, stderr } = await runProgram(node, ['-e', script], {
    input: 'typed',
    env: { A: 'set', B: null },
  });
  expect({ code, signal, stdout, stderr }).toEqual({
    code: 0,
    signal: null,
    stdout: 'typed',
    stderr: 'set undefined\n',
  });
});

test('killing a program kills its children too', async () => {
  const script = `
    const child = require('child_process').spawn('sleep', ['1000']);
    console.log('child', child.pid);
    setInterval(() => 0, 1000);`;
  const program = spawnProgram(node, ['-e', script]);
  const pid = (await program.waitForLine(/^child \d+$/)).slice('child '.length);
  await program.kill();
  expect((await program.ended).signal).toBe('SIGKILL');
  const isOver = () => {
    const stat = `/proc/${pid}/stat`;
    return !existsSync(stat) || / Z /.test(readFileSync(stat, 'utf8'));
  };
  await expect.poll(isOver).toBe(true);
});

test('waiting for a line that never comes ends with the program', async () => {
  const program = spawnProgram(node, ['-e', "console.log('other')"]);
  await expect(program.waitForLine(/never/)).rejects.toThrow(/ended without \/never\/:\nother/);
});

test('a program that is not there is told', async () => {
  await expect(runProgram('/nowhere/program')).rejects.toThrow('ENOENT');
});

test('a free port can be listened on', async () => {
  const server = createServer();
  const port = await freePort();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  server.close();
  expect(port).toBeGreaterThan(1023);
});

test('a temporary folder is removed with all it holds', async () => {
  const folder = await makeTempFolder();
  expect(existsSync(folder.path)).toBe(true);
  await folder.remove();
  expect(existsSync(folder.path)).toBe(false);
});
