/**
 * The durability line on a product that never syncs. kill -9 cannot tell: the page cache outlives
 * the process. So the sources are copied, the log writer's one call of sync_data is taken out of
 * the copy, and the native durability test is built from it: there a power cut of the simulated
 * disk loses what was not synced.
 */
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CheckContext, holds, type Line } from '../check.ts';
import { nativeLines } from '../native-program.ts';
import { lastWords } from '../product.ts';
import { spawnBounded } from '../spawn.ts';

const source = join('native', 'agent', 'log_writer.cc');
const call = 'file.file->sync_data()';
const configureTimeoutMs = 120_000;

/** Expects red: one line, which passes when recovery_test fails on the copy. */
export async function noFdatasync(context: CheckContext): Promise<readonly Line[]> {
  const copy = join(context.folder, 'copy');
  for (const folder of ['native', join('test', 'native')]) {
    await cp(join(context.root, folder), join(copy, folder), { recursive: true });
  }
  await symlink(join(context.root, 'node_modules'), join(copy, 'node_modules'));
  const file = join(copy, source);
  const parts = (await readFile(file, 'utf8')).split(call);
  const name = 'durability with fdatasync removed';
  if (parts.length !== 2) {
    const measured = `${source} calls ${call} ${String(parts.length - 1)} times`;
    return [holds(name, 'the call is found once', false, measured)];
  }
  await writeFile(file, parts.join('Status::kOk'));
  const build = join(context.folder, 'build');
  const modules = join(context.root, 'node_modules');
  const args = [
    ...['-S', join(copy, 'native'), '-B', build, '-DCMAKE_BUILD_TYPE=Release'],
    '-DFRESHET_TESTS=ON',
    `-DFRESHET_NODE_API_HEADERS=${join(modules, 'node-api-headers', 'include')}`,
    `-DFRESHET_NODE_ADDON_API=${join(modules, 'node-addon-api')}`,
  ];
  const configured = await spawnBounded('cmake', args, { timeoutMs: configureTimeoutMs });
  if (configured.code !== 0) throw new Error(`cmake: ${lastWords(configured)}`);
  context.say('building recovery_test without fdatasync');
  const [line] = await nativeLines(build, [[name, 'recovery_test']]);
  const measured = line?.measured ?? 'no outcome';
  return [holds(name, 'recovery_test is red', line?.pass === false, measured)];
}
