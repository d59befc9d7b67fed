import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { FreshetError, limits, messageOf, packageRoot } from '../base/mod.ts';
import { type LoadedLambda, loadBundle, suppliedModules } from './load-bundle.ts';

/** A lambda's code as members run it. */
export interface Bundle {
  /** SHA-256 of `code`, hex. */
  readonly sha256: string;
  readonly code: string;
  readonly lambda: LoadedLambda;
  /** Absolute paths of the files it was made from. */
  readonly sources: readonly string[];
}

/**
 * Bundles a lambda's module with esbuild to one CommonJS file, members' modules left out, and loads
 * it once to learn what it declares. Throws INVALID_PIPELINE naming the module and what is wrong.
 */
export async function bundleLambda(module: string): Promise<Bundle> {
  const { code, sources } = await bundleCode(module);
  if (Buffer.byteLength(code) > limits.bundleBytes) {
    throw new FreshetError(
      'INVALID_PIPELINE',
      `The bundle of '${module}' has ${String(Buffer.byteLength(code))} bytes; the limit is ${String(limits.bundleBytes)}`,
    );
  }
  const sha256 = createHash('sha256').update(code).digest('hex');
  return { sha256, code, lambda: loadOnce(code, module), sources };
}

function loadOnce(code: string, module: string): LoadedLambda {
  try {
    return loadBundle(code, module, null);
  } catch (error) {
    throw new FreshetError('INVALID_PIPELINE', messageOf(error), {
      mend: 'Correct the module',
      cause: error,
    });
  }
}

async function bundleCode(module: string): Promise<Pick<Bundle, 'code' | 'sources'>> {
  const root = packageRoot();
  try {
    const result = await build({
      entryPoints: [module],
      bundle: true,
      write: false,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      external: [...suppliedModules],
      plugins: [suppliedSurface],
      logLevel: 'silent',
      // The same sources give the same bundle wherever they lie.
      absWorkingDir: root,
      metafile: true,
      legalComments: 'none',
    });
    const sources = Object.keys(result.metafile.inputs).map((file) => resolve(root, file));
    return { code: result.outputFiles[0]?.text ?? '', sources };
  } catch (error) {
    throw new FreshetError(
      'INVALID_PIPELINE',
      `The lambda '${module}' does not build: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * `freshet/udl` and `freshet/client`, also by their paths in this repository, come from the member.
 */
const suppliedSurface: Plugin = {
  name: 'supplied-surface',
  setup(context) {
    context.onResolve({ filter: /^freshet\/(udl|client)$/ }, ({ path }) => ({
      path,
      external: true,
    }));
    context.onResolve({ filter: /\/udl\/mod\.(ts|js)$/ }, () => ({
      path: 'freshet/udl',
      external: true,
    }));
    context.onResolve({ filter: /\/platform\/client\/mod\.(ts|js)$/ }, () => ({
      path: 'freshet/client',
      external: true,
    }));
  },
};
