import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/**
 * The JavaScript file that worker threads run. Built programs have it beside this one; where the
 * platform runs from its TypeScript sources (tests, tools) it is bundled once into a temporary
 * folder, since worker threads of Node 20 cannot load TypeScript.
 */
export function workerEntry(): { readonly path: string; readonly dispose: () => void } {
  const here = fileURLToPath(import.meta.url);
  const besides = fileURLToPath(new URL('./worker-main.js', import.meta.url));
  if (here.endsWith('.js')) return { path: besides, dispose: () => undefined };
  const root = fileURLToPath(new URL('../..', import.meta.url));
  // Inside the repository, so that the packages resolve from it.
  const folder = mkdtempSync(join(root, 'node_modules', '.freshet-worker-'));
  const path = join(folder, 'worker-main.mjs');
  buildSync({
    entryPoints: [fileURLToPath(new URL('./worker-main.ts', import.meta.url))],
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
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
