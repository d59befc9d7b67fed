/** Rows whose members have hosts of their own: each is measured by a process in an enclosure. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { enclosedEnv, enclosing, enclosureProblem } from '../../support/enclosure.ts';
import { switchProgram } from '../../support/network.ts';
import { runToEnd } from '../child.ts';
import type { RowContext } from '../row.ts';
import type { RowResult } from '../run-rows.ts';
import type { EnclosedOrder, EnclosedReport } from './orders.ts';

const buildTimeoutMs = 900_000;

/** Measures the row of this name in an enclosure. Throws why that cannot be. */
export async function runEnclosed(
  row: string,
  runs: number,
  { root, quick, say }: Omit<RowContext, 'folder'>,
): Promise<RowResult> {
  const problem = enclosureProblem();
  if (problem !== null) throw new Error(problem);
  await buildSwitch(root);
  const isSource = import.meta.url.endsWith('.ts');
  const entry = fileURLToPath(new URL(`./main.${isSource ? 'ts' : 'js'}`, import.meta.url));
  const [unshare = '', ...flags] = enclosing;
  const loader = isSource ? ['--import', 'tsx'] : [];
  const child = spawn(unshare, [...flags, process.execPath, ...loader, entry], {
    env: enclosedEnv(),
    stdio: ['ignore', 2, 2, 'ipc'],
    serialization: 'advanced',
  });
  const measured: RowResult[] = [];
  child.on('message', (message: EnclosedReport) => {
    if (message.type === 'say') say(message.text);
    else measured.push(message.result);
  });
  const order: EnclosedOrder = { row, runs, quick };
  child.send(order);
  const [code] = (await once(child, 'exit')) as [number | null];
  const [result] = measured;
  if (result === undefined) throw new Error(`its process ended with ${String(code)}`);
  return result;
}

async function buildSwitch(root: string): Promise<void> {
  const folder = join(root, 'build', 'native');
  if (existsSync(join(folder, 'CMakeCache.txt'))) {
    const args = ['--build', folder, '--target', 'network_switch', '-j', '2'];
    await runToEnd('cmake', args, { timeoutMs: buildTimeoutMs, cwd: root });
  } else if (!existsSync(switchProgram)) {
    throw new Error('build/native is not configured: run `npm test` once, which builds it');
  }
}
