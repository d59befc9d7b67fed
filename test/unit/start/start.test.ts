import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Clone } from './clone.ts';

describe('a machine that will not do', () => {
  const pretend = (object: string, name: string, value: string) =>
    encodeURIComponent(`Object.defineProperty(${object}, '${name}', { value: '${value}' })`);

  test('an old Node is named with the mend', async () => {
    const clone = await Clone.make();
    const old = pretend('process.versions', 'node', '18.20.8');
    const { code, stdout, stderr } = await clone.run(['start'], old);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^freshet: Freshet needs Node >= 20\.19, this is 18\.20\.8: install .*\n$/,
    );
  });

  test.each(['20.18.3', '4.9.1', '0.12.0'])('Node %s is old', async (version) => {
    const clone = await Clone.make();
    const { stderr } = await clone.run(['test'], pretend('process.versions', 'node', version));
    expect(stderr).toContain(`this is ${version}:`);
  });

  test('another system is told so in one sentence', async () => {
    const clone = await Clone.make();
    const { code, stderr } = await clone.run(['start'], pretend('process', 'platform', 'darwin'));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^freshet: Freshet runs on Linux x64 and arm64, this is darwin \w+: .*\n$/,
    );
  });

  test('an unknown command is told the known ones', async () => {
    const clone = await Clone.make();
    for (const word of ['strat', 'constructor']) {
      const { code, stderr } = await clone.run([word]);
      expect(code).toBe(1);
      expect(stderr).toContain('start|test|build');
    }
  });
});

describe('packages', () => {
  test('are installed once, and again when the lockfile differs', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    expect((await clone.run(['build'])).code).toBe(0);
    const second = await clone.run(['build']);
    expect(second.stderr).toMatch(/^freshet: ready \(nothing changed\): [\d.]+ s\n$/);
    const calls = await clone.npmCalls();
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatch(/^ci --include=dev .*\[skip\]$/);

    await clone.write('package-lock.json', '{ "lockfileVersion": 3, "packages": {} }\n');
    const third = await clone.run(['build']);
    expect(third.stderr).toContain('made packages');
    expect(await clone.npmCalls()).toHaveLength(2);
  });

  test('that cannot be installed are told with what npm said, and tried again', async () => {
    const clone = await Clone.make();
    await clone.addScript('npm', 'echo "E404 no such package" >&2; exit 1');
    const failed = await clone.run(['build']);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('E404 no such package');
    expect(failed.stderr).toContain('npm could not install the packages');
    await clone.addNpm();
    expect((await clone.run(['build'])).code).toBe(0);
  });

  test('are installed once by two starts at the same time', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    const endings = await Promise.all([clone.run(['build']), clone.run(['build'])]);
    expect(endings.map(({ code }) => code)).toEqual([0, 0]);
    expect(await clone.npmCalls()).toHaveLength(1);
  });

  test('that are being installed when we are ended leave no process and no lock', async () => {
    const clone = await Clone.make();
    await clone.addScript('npm', 'echo $$ > pid; /bin/sleep 1000 & echo $! >> pid; wait');
    const started = clone.spawn(['build']);
    const pids = async () => (await clone.read('pid').catch(() => '')).trim().split('\n');
    await expect.poll(async () => (await pids()).length, { timeout: 30_000 }).toBe(2);
    started.signal('SIGTERM');
    expect((await started.ended).code).toBe(143);
    for (const pid of await pids()) {
      await expect.poll(() => isAlive(Number(pid))).toBe(false);
    }
    await expect(clone.read('build/lock')).rejects.toThrow('ENOENT');
  });

  test('a lock that a killed build left behind is taken over', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    await clone.write('build/lock', '4194305');
    expect((await clone.run(['build'])).code).toBe(0);
  });
});

describe('TypeScript', () => {
  test('is compiled to modules that find each other and their files', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    await clone.write('platform/cli/data.json', '{ "word": "data" }');
    await clone.write('platform/base/mod.ts', 'export const base: string = "base";\n');
    await clone.write(
      'platform/cli/main.ts',
      `import { readFileSync } from 'node:fs';
       import { base } from '../base/mod.ts';
       const data = readFileSync(new URL('./data.json', import.meta.url), 'utf8');
       const late = await import('../base/mod.ts');
       console.log(JSON.stringify([base, late.base, JSON.parse(data), process.argv.slice(2)]));
       process.exitCode = 3;\n`,
    );
    const { code, stdout } = await clone.run(['start', '--frames', '60', '--json']);
    expect(stdout).toBe('["base","base",{"word":"data"},["dev","--frames","60","--json"]]\n');
    expect(code).toBe(3);
  });

  test('that does not parse is told with its place', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    await clone.write('platform/cli/main.ts', 'const = 1;\n');
    const { code, stderr } = await clone.run(['start']);
    expect(code).toBe(1);
    expect(stderr).toContain('platform/cli/main.ts:1:6');
  });

  test('that was removed leaves nothing behind', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    await clone.write('platform/cli/gone.ts', 'export const gone = 1;\n');
    await clone.run(['build']);
    expect(await clone.read('dist/platform/cli/gone.js')).toContain('gone');
    await rm(join(clone.root, 'platform/cli/gone.ts'));
    const { stderr } = await clone.run(['build']);
    expect(stderr).toContain('made typescript');
    await expect(clone.read('dist/platform/cli/gone.js')).rejects.toThrow('ENOENT');
  });

  test('a program that is not there is told', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    const { code, stderr } = await clone.run(['run', 'test/bench/main.ts']);
    expect(code).toBe(1);
    expect(stderr).toContain('There is no program test/bench/main.ts in this clone.');
  });
});

describe('the program that is handed over to', () => {
  const program = (onSignal: string) => `
    import { spawn } from 'node:child_process';
    const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)']);
    let signals = 0;
    process.on('SIGINT', () => {
      signals++;
      setTimeout(() => { console.log('signals', signals); ${onSignal} }, 200);
    });
    setInterval(() => 0, 1000);
    console.log('ready', child.pid);\n`;

  test('gets one signal for a Ctrl-C that reached us twice, and leaves no process', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    await clone.write('platform/cli/main.ts', program('process.exit(7)'));
    const started = clone.spawn(['start']);
    const line = await started.waitForLine(/^ready \d+$/);
    const grandchild = Number(line.split(' ')[1]);
    expect(isAlive(grandchild)).toBe(true);
    started.signal('SIGINT');
    started.signal('SIGINT');
    const { code, stdout } = await started.ended;
    expect(code).toBe(7);
    expect(stdout).toContain('signals 1\n');
    await expect.poll(() => isAlive(grandchild)).toBe(false);
  });

  test('is told when the script is gone without a word', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    await clone.write(
      'platform/cli/main.ts',
      `import { Socket } from 'node:net';
       const fd = Number(process.env['FRESHET_LIFELINE']);
       new Socket({ fd }).on('close', () => process.exit(0)).resume();
       console.log('ready', process.pid);\n`,
    );
    const started = clone.spawn(['start']);
    const line = await started.waitForLine(/^ready \d+$/);
    const child = Number(line.split(' ')[1]);
    expect(isAlive(child)).toBe(true);
    started.signal('SIGKILL');
    await expect.poll(() => isAlive(child)).toBe(false);
  });

  test('that a signal ends gives the exit code of that signal', async () => {
    const clone = await Clone.make();
    await clone.addNpm();
    await clone.write('platform/cli/main.ts', "process.kill(process.pid, 'SIGKILL');\n");
    expect((await clone.run(['start'])).code).toBe(137);
  });
});

/** Whether a process runs; one that is over and that nobody asked about does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
