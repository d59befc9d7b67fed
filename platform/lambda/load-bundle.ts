import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import { FreshetError, messageOf } from '../base/mod.ts';
import * as client from '../client/mod.ts';
import * as udl from '../../udl/mod.ts';

/** A lambda out of a bundle; its types are known to its author alone. */
export type LoadedLambda = udl.Lambda<unknown, udl.Outputs, never>;

type LoadModule = (require: (name: string) => unknown, module: object, exports: object) => void;

/** Modules that every member supplies; everything else is in the bundle. */
export const suppliedModules: readonly string[] = ['sharp', 'onnxruntime-node'];

/** Evaluates a bundle; throws LAMBDA_FAILED naming the module and what is wrong with it. */
export function loadBundle(code: string, module: string): LoadedLambda {
  const platformRequire = createRequire(import.meta.url);
  const exported = { exports: {} as Record<string, unknown> };
  try {
    const parameters = ['require', 'module', 'exports'];
    const load = compileFunction(code, parameters, { filename: module }) as LoadModule;
    load((name: string) => supplyModule(name, platformRequire), exported, exported.exports);
  } catch (error) {
    throw new FreshetError(
      'LAMBDA_FAILED',
      `The lambda '${module}' throws when it is loaded: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  const lambda = exported.exports['default'] as LoadedLambda | undefined;
  if (typeof lambda?.run !== 'function' || typeof lambda.name !== 'string') {
    throw new FreshetError(
      'LAMBDA_FAILED',
      `The module '${module}' has no lambda as its default export; export default defineLambda({ … })`,
    );
  }
  return lambda;
}

/** What `require` gives inside a bundle. */
function supplyModule(name: string, platformRequire: NodeJS.Require): unknown {
  if (name === 'freshet/udl') return udl;
  if (name === 'freshet/client') return client;
  if (name.startsWith('node:') || suppliedModules.includes(name)) return platformRequire(name);
  throw new FreshetError(
    'LAMBDA_FAILED',
    `The bundle asks for the module '${name}', which no member supplies`,
  );
}
