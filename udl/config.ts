import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { FreshetError } from '../platform/client/mod.ts';

/** Fills in defaults and checks; throws INVALID_PIPELINE naming the lambda and the field. */
export function parseLambdaConfig<C extends TSchema>(
  lambda: { readonly name: string; readonly config: C | null },
  given: unknown,
): NoInfer<Static<C>> {
  if (lambda.config === null) return (given ?? {}) as Static<C>;
  const filled: unknown = Value.Default(lambda.config, structuredClone(given ?? {}));
  if (Value.Check(lambda.config, filled)) return filled;
  const first = Value.Errors(lambda.config, filled)[0];
  const place = `${first?.instancePath ?? ''} ${first?.message ?? 'is not acceptable'}`.trim();
  throw new FreshetError('INVALID_PIPELINE', `The configuration of '${lambda.name}': ${place}`);
}
