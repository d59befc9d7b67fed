import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FreshetError, messageOf } from '../base/mod.ts';
import type { NativeAddon } from './native.ts';

/**
 * Loads the addon, `prebuilds/<platform>-<arch>/freshet.node` of this package (the layout of
 * node-gyp-build), from the sources and from `dist` alike. Throws NATIVE_MISSING.
 */
export function loadAddon(): NativeAddon {
  const target = `${process.platform}-${process.arch}`;
  const file = findAddon(dirname(fileURLToPath(import.meta.url)), target);
  if (file === null) {
    throw new FreshetError('NATIVE_MISSING', `There is no native part for ${target}`);
  }
  try {
    return createRequire(import.meta.url)(file) as NativeAddon;
  } catch (cause) {
    throw new FreshetError('NATIVE_MISSING', `${file} cannot be loaded: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Looks in every folder from `folder` upwards, as dist lies deeper than the sources. */
function findAddon(folder: string, target: string): string | null {
  const file = join(folder, 'prebuilds', target, 'freshet.node');
  if (existsSync(file)) {
    return file;
  }
  const parent = dirname(folder);
  return parent === folder ? null : findAddon(parent, target);
}
