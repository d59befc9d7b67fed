import { execFileSync } from 'node:child_process';
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SystemClock, toFreshetError } from '../../platform/base/mod.ts';
import { addSyncCommand } from '../../platform/cli/commands/sync.ts';
import { exitCodeOf, Output } from '../../platform/cli/output.ts';
import { Session } from '../../platform/cli/session.ts';
import { bytes, text } from '../support/cluster.ts';
import { tempFolder } from '../support/mod.ts';
import { type DoorsRig, startDoors } from './doors-rig.ts';

let rig: DoorsRig;
let here = '';
let prefix = '';
let nth = 0;

beforeAll(async () => {
  rig = await startDoors('sync', 1);
});

afterAll(async () => {
  await rig.close();
});

beforeEach(async () => {
  here = await tempFolder('sync-command');
  prefix = `/shelf${String(++nth)}`;
  await rig.cluster.door.createPool({ name: prefix, kind: 'volatile' });
});

/** The command as the program has it, without a process of its own. */
async function sync(...words: readonly string[]) {
  let stdout = '';
  let stderr = '';
  const sinks = {
    out: (part: string | Uint8Array) => (stdout += String(part)),
    err: (part: string) => (stderr += part),
    isTerminal: false,
  };
  const output = new Output(sinks, words.includes('--json'));
  const address = `127.0.0.1:${String(rig.grpcPort)}`;
  const root = new Command('freshet').option('--json').exitOverride();
  const session = new Session({ address, timeout: '10' }, output);
  const clock = new SystemClock();
  addSyncCommand(
    root,
    () => session,
    () => clock.wallUs(),
  );
  let code = 0;
  try {
    await root.parseAsync(['sync', ...words], { from: 'user' });
  } catch (caught) {
    const error = toFreshetError(caught);
    output.error(error);
    code = exitCodeOf(error);
  }
  return { code, stdout, stderr };
}

async function write(path: string, value: string): Promise<void> {
  const file = join(here, path);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, value);
}

async function keys(): Promise<string[]> {
  const found: string[] = [];
  for await (const key of rig.cluster.door.list({ prefix: `${prefix}/` })) found.push(key);
  return found.map((key) => key.slice(prefix.length + 1));
}

test('a folder goes into a pool and comes back as it was, the equal left alone', async () => {
  await write('in/a.txt', 'one');
  await write('in/deep/er/b.json', '{"two": 2}');
  await write('in/empty', '');
  await utimes(join(here, 'in/a.txt'), 1_700_000_000.25, 1_700_000_000.25);
  const pushed = await sync('push', join(here, 'in'), `${prefix}/`);
  expect([pushed.code, pushed.stderr]).toEqual([0, '']);
  expect(pushed.stdout).toBe('3 files: 3 copied (0.0 MiB), 0 unchanged\n');
  expect(await keys()).toEqual(['a.txt', 'deep/er/b.json', 'empty']);
  const object = await rig.cluster.door.get({ key: `${prefix}/a.txt` });
  expect(text(object?.value)).toBe('one');
  expect(object).toMatchObject({ eventTime: 1_700_000_000_250_000 });
  expect(object?.meta['content-type']).toBe('text/plain');

  const again = await sync('push', join(here, 'in'), prefix);
  expect(again.stdout).toBe('3 files: 0 copied (0.0 MiB), 3 unchanged\n');
  await write('in/a.txt', 'new');
  expect((await sync('push', join(here, 'in'), prefix)).stdout).toMatch(/1 copied.*2 unchanged/);

  const out = join(here, 'out/of/it');
  const pulled = await sync('pull', prefix, out);
  expect(pulled.stdout).toBe('3 files: 3 copied (0.0 MiB), 0 unchanged\n');
  expect(await readFile(join(out, 'a.txt'), 'utf8')).toBe('new');
  expect(await readFile(join(out, 'deep/er/b.json'), 'utf8')).toBe('{"two": 2}');
  expect((await stat(join(out, 'empty'))).size).toBe(0);
  const before = await sync('pull', prefix, join(here, 'then'), '--at', String(object?.time));
  expect(before.code).toBe(0);
  expect(await readFile(join(here, 'then/a.txt'), 'utf8')).toBe('one');
  expect((await stat(join(here, 'then/a.txt'))).mtimeMs).toBe(1_700_000_000_250);
  expect((await sync('pull', prefix, out)).stdout).toMatch(/0 copied.*3 unchanged/);
});

test('what the source has not got is removed when asked, and a dry run does nothing', async () => {
  await write('in/keep', 'k');
  await rig.cluster.door.put({ key: `${prefix}/gone/x`, value: bytes('x') });
  const dry = await sync('push', join(here, 'in'), prefix, '--delete', '--dry-run');
  expect(dry.stdout.split('\n').slice(0, 2)).toEqual(['copy keep', 'remove gone/x']);
  expect(await keys()).toEqual(['gone/x']);
  await sync('push', join(here, 'in'), prefix);
  expect(await keys()).toEqual(['gone/x', 'keep']);
  const pushed = await sync('push', join(here, 'in'), prefix, '--delete', '--json');
  expect(JSON.parse(pushed.stdout)).toMatchObject({ copied: 0, unchanged: 1, removed: 1 });
  expect(await keys()).toEqual(['keep']);

  await write('out/rest', 'r');
  await write('elsewhere/kept', 'e');
  await symlink(join(here, 'elsewhere'), join(here, 'out/link'));
  await sync('pull', prefix, join(here, 'out'), '--delete');
  expect((await readdir(join(here, 'out'))).sort()).toEqual(['keep', 'link']);
  expect(await readdir(join(here, 'elsewhere'))).toEqual(['kept']);
});

test('links that leave, special files and circles are named, and nothing is copied', async () => {
  await write('in/fine', 'f');
  await write('secret', 's');
  await symlink('../secret', join(here, 'in/out'));
  await symlink('.', join(here, 'in/round'));
  await symlink('nowhere', join(here, 'in/lost'));
  await symlink('fine', join(here, 'in/too'));
  execFileSync('mkfifo', [join(here, 'in/pipe')]);
  await write('in/%2e%2e', 'climbs');
  const { code, stderr } = await sync('push', join(here, 'in'), prefix);
  expect(code).toBe(2);
  for (const reason of [
    '"out" is a link that leads out of the folder',
    '"round" is a link to a folder that it lies in',
    '"lost" is a link that leads nowhere',
    '"pipe" is a named pipe',
    '"%2e%2e" has a key that has the segment "%2e%2e"',
  ]) {
    expect(stderr).toContain(reason);
  }
  expect(stderr).not.toContain('"too"');
  expect(await keys()).toEqual([]);
});

test('nothing is written outside of the folder, nor in place of something else', async () => {
  await rig.cluster.door.put({ key: `${prefix}/link/x`, value: bytes('x') });
  await mkdir(join(here, 'out/away/x'), { recursive: true });
  await mkdir(join(here, 'elsewhere'));
  await symlink('../elsewhere', join(here, 'out/link'));
  const leaving = await sync('pull', prefix, join(here, 'out'));
  expect(leaving.code).toBe(2);
  expect(leaving.stderr).toContain('"link/x" lies below what is a link that leads out');
  expect(await readdir(join(here, 'elsewhere'))).toEqual([]);

  await rig.cluster.door.put({ key: `${prefix}/away/x`, value: bytes('x') });
  await rig.cluster.door.put({ key: `${prefix}/link`, value: bytes('file') });
  const clash = await sync('pull', prefix, join(here, 'other'));
  expect(clash.stderr).toContain('"link" would be a file and a folder');
  await rig.cluster.door.remove({ key: `${prefix}/link/x` });
  const folder = await sync('pull', prefix, join(here, 'out'));
  expect(folder.stderr).toContain('"away/x" is a folder here');

  // A link where a file belongs is replaced, not followed.
  await rig.cluster.door.remove({ key: `${prefix}/away/x` });
  const done = await sync('pull', prefix, join(here, 'out'));
  expect([done.code, done.stderr]).toEqual([0, '']);
  expect((await lstat(join(here, 'out/link'))).isFile()).toBe(true);
  expect(await readdir(join(here, 'elsewhere'))).toEqual([]);
});

test('what is wrong is said with the mend: no folder, no pool, too large a file', async () => {
  const missing = await sync('push', join(here, 'none'), prefix);
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('cannot be used')]);
  await write('in/file', 'f');
  expect((await sync('push', join(here, 'in/file'), prefix)).stderr).toContain('is not a folder');
  const nowhere = await sync('push', join(here, 'in'), '/nowhere/at/all');
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain('UNKNOWN_POOL: ');
  await truncate(join(here, 'in/file'), 64 * 2 ** 20 + 1);
  expect((await sync('push', join(here, 'in'), prefix)).stderr).toContain(
    'more than 64 MiB of its pool',
  );
});
