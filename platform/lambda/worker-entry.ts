import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { packageRoot, runsFromSources } from '../base/mod.ts';

const folder = join('platform', 'lambda');

/**
 * The JavaScript file that worker threads run. The build makes it a program of its own; where the
 * platform runs from its TypeScript sources (tests, tools) it is bundled once into a temporary
 * folder, since worker threads of Node 20 cannot load TypeScript.
 */
export function workerEntry(): { readonly path: string; readonly dispose: () => void } {
  const root = packageRoot();
  if (!runsFromSources) {
    return { path: join(root, 'dist', folder, 'worker-main.js'), dispose: () => undefined };
  }
  // Inside the repository, so that the packages resolve from it.
  const made = mkdtempSync(join(root, 'node_modules', '.freshet-worker-'));
  const path = join(made, 'worker-main.mjs');
  buildSync({
    entryPoints: [join(root, folder, 'worker-main.ts')],
    outfile: path,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
  });
  return {
    path,
    dispose: () => {
      rmSync(made, { recursive: true, force: true });
    },
  };
}
