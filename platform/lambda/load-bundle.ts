import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import { FreshetError, messageOf } from '../base/mod.ts';
import * as client from '../client/mod.ts';
import * as udl from '../../udl/mod.ts';
import { guardOnnx, type NativeGate, type OnnxBinding } from './native-gate.ts';

/** A lambda out of a bundle; its types are known to its author alone. */
export type LoadedLambda = udl.Lambda<unknown, udl.Outputs, never>;

type LoadModule = (require: (name: string) => unknown, module: object, exports: object) => void;

/** Modules that every member supplies; everything else is in the bundle. */
export const suppliedModules: readonly string[] = ['sharp', 'onnxruntime-node'];

/**
 * Evaluates a bundle; throws LAMBDA_FAILED naming the module and what is wrong with it. The native
 * calls of supplied modules pass `gate`; null: the thread is never ended from outside.
 */
export function loadBundle(code: string, module: string, gate: NativeGate | null): LoadedLambda {
  const supply = supplier(gate);
  const exported = { exports: {} as Record<string, unknown> };
  try {
    const parameters = ['require', 'module', 'exports'];
    const load = compileFunction(code, parameters, { filename: module }) as LoadModule;
    load(supply, exported, exported.exports);
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
  if (typeof lambda?.run !== 'function' || typeof lambda.teardown !== 'function') {
    throw new FreshetError(
      'LAMBDA_FAILED',
      `The module '${module}' has no lambda as its default export; export default defineLambda({ … })`,
    );
  }
  return lambda;
}

/** What `require` is inside a bundle. */
function supplier(gate: NativeGate | null): (name: string) => unknown {
  const platformRequire = createRequire(import.meta.url);
  const supplied = new Map<string, unknown>();
  return (name) => {
    if (name === 'freshet/udl') return udl;
    if (name === 'freshet/client') return client;
    if (name.startsWith('node:')) return platformRequire(name) as unknown;
    if (!suppliedModules.includes(name)) {
      throw new FreshetError(
        'LAMBDA_FAILED',
        `The bundle asks for the module '${name}', which no member supplies`,
      );
    }
    if (!supplied.has(name)) supplied.set(name, loadSupplied(name, platformRequire, gate));
    return supplied.get(name);
  };
}

/**
 * Loading runs native code too, so it passes the gate as a whole. Of the modules themselves only
 * onnxruntime-node needs it: it infers on the thread that calls, and its addon throws when that
 * thread was ended meanwhile. Sharp does not: it works on libuv's pool, the end of a thread waits
 * for its work there, and its addon is built with NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS, which
 * makes failing to hand over a result in an ended thread harmless. process.exit is no danger to
 * either: it is JavaScript, so no native call is under way then.
 */
function loadSupplied(
  name: string,
  platformRequire: NodeJS.Require,
  gate: NativeGate | null,
): unknown {
  if (gate === null) return platformRequire(name);
  return gate.run(() => {
    if (name === 'onnxruntime-node') {
      // Before its main module, which keeps functions of the binding for itself.
      const loaded = platformRequire('onnxruntime-node/dist/binding.js') as {
        binding: OnnxBinding;
      };
      guardOnnx(loaded.binding, gate);
    }
    return platformRequire(name) as unknown;
  });
}
