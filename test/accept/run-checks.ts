import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Check, CheckContext, Line } from './check.ts';

export interface PointLine extends Line {
  readonly point: string;
  readonly check: string;
}

/** Runs checks one after the other; one that throws is a line that fails, saying why. */
export async function runChecks(
  checks: readonly Check[],
  context: Omit<CheckContext, 'folder'>,
): Promise<readonly PointLine[]> {
  const lines: PointLine[] = [];
  for (const { name, point, run } of checks) {
    context.say(`${point}: ${name}`);
    const found = await linesOf(name, context, run);
    for (const line of found) context.say(`  ${saidOf(line)}`);
    lines.push(...found.map((line) => ({ point, check: name, ...line })));
  }
  return lines;
}

function saidOf({ name, target, measured, pass }: Line): string {
  const verdict = pass === null ? 'undecided' : pass ? 'pass' : 'FAIL';
  return `${verdict}: ${name}: ${target}: ${measured}`;
}

/** With a folder of its own that is gone afterwards. */
export async function linesOf(
  name: string,
  context: Omit<CheckContext, 'folder'>,
  run: Check['run'],
): Promise<readonly Line[]> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-accept-'));
  try {
    return await run({ ...context, folder });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const measured = `the check itself failed: ${text.split('\n')[0] ?? ''}`;
    return [{ name, target: 'can be measured', measured, pass: false }];
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
