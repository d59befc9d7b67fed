/** The product as a newcomer runs it: the start script and the CLI, as programs. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Ending, spawnBounded, Started } from './spawn.ts';

/** In the environment of everything a check starts, so that what it leaves behind is found. */
const marker = 'FRESHET_ACCEPT_RUN';

const commandTimeoutMs = 60_000;

/** `npm start -- …`, which is this. Ports are free ones unless the words name others. */
export function startProduct(
  root: string,
  words: readonly string[],
  options: { readonly timeoutMs: number; readonly mark?: string },
): Started {
  const script = join(root, 'platform', 'start.mjs');
  const { timeoutMs, mark } = options;
  const ports = words.includes('--port') ? [] : ['--port', '0'];
  const grpc = words.includes('--grpc-port') ? [] : ['--grpc-port', '0'];
  const env = mark === undefined ? {} : { [marker]: mark };
  const args = [script, 'start', ...words, ...ports, ...grpc];
  return new Started(process.execPath, args, { cwd: root, timeoutMs, env });
}

/** `npx --no freshet …` from the built program, against a member. */
export function runFreshet(
  root: string,
  address: string,
  words: readonly string[],
  input?: string,
): Promise<Ending> {
  const program = join(root, 'dist', 'platform', 'cli', 'main.js');
  const args = [program, '--address', address, ...words];
  const options = { cwd: root, timeoutMs: commandTimeoutMs };
  return spawnBounded(
    process.execPath,
    args,
    input === undefined ? options : { ...options, input },
  );
}

/** Living processes that were started, directly or not, under the mark. */
export async function processesOf(mark: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // One that ended between the two calls, or belongs to another user, is not ours.
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (environment.includes(`${marker}=${mark}\0`)) found.push(Number(name));
  }
  return found;
}

/** One sentence and its mend are a line or two, never a stack. */
export function isShortRefusal({ code, stderr }: Ending, wanted: RegExp): boolean {
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => !/^freshet: ready/.test(line));
  const hasStack = lines.some((line) => /^\s+at .*[:(]\d+:\d+/.test(line));
  return code !== 0 && code !== null && wanted.test(stderr) && lines.length <= 4 && !hasStack;
}

/** What a failing program said, on one line. */
export function lastWords({ code, stdout, stderr }: Ending): string {
  const words = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join(' | ');
  return `exit ${String(code)}: ${words.slice(0, 300)}`;
}
