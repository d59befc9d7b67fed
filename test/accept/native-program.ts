/** Native test programs, built in the build folder that the start script configured. */
import { join } from 'node:path';
import { holds, type Line } from './check.ts';
import { lastWords } from './product.ts';
import { spawnBounded } from './spawn.ts';

const buildTimeoutMs = 900_000;
const runTimeoutMs = 300_000;

/** Builds these targets. Throws what the build said last. */
export async function buildNative(build: string, targets: readonly string[]): Promise<void> {
  const named = targets.flatMap((target) => ['--target', target]);
  const args = ['--build', build, '-j', '2', ...named];
  const built = await spawnBounded('cmake', args, { timeoutMs: buildTimeoutMs });
  if (built.code !== 0) throw new Error(`the native tests were not built: ${lastWords(built)}`);
}

/** Builds and runs test programs; one line each, named by what it decides. */
export async function nativeLines(
  build: string,
  programs: readonly (readonly [name: string, program: string])[],
): Promise<readonly Line[]> {
  const targets = programs.map(([, program]) => program);
  await buildNative(build, targets);
  const lines: Line[] = [];
  for (const [name, program] of programs) {
    const options = { timeoutMs: runTimeoutMs };
    const ending = await spawnBounded(join(build, 'test', program), [], options);
    const seconds = `${(ending.elapsedMs / 1000).toFixed(1)} s`;
    const measured = ending.code === 0 ? `passed in ${seconds}` : lastWords(ending);
    lines.push(holds(name, `${program} passes`, ending.code === 0, measured));
  }
  return lines;
}
