/**
 * The chance that a cow calves within the horizon: a pure function of what is known of her and of
 * the coefficients that `fit.ts` wrote.
 */
import { canUseModel, featureNames, featuresOf, gestationSpan } from './features.ts';
import type { CowDay } from './features.ts';
import { lookUp } from './insemination-table.ts';
import { dotAt, logistic } from './logistic.ts';
import { FreshetError, Type } from '../../../udl/mod.ts';
import type { Static } from '../../../udl/mod.ts';
import Value from 'typebox/value';

const Horizon = Type.Object({
  /** Days: the one in question and those after it; 1 is "within 24 hours". */
  days: Type.Integer({ minimum: 1 }),
  /** In the order of `features`; null where the table did as well on herds held out. */
  weights: Type.Union([Type.Array(Type.Number()), Type.Null()]),
  /** Chance by days since insemination, from the first to the last day of the span. */
  table: Type.Array(Type.Number({ minimum: 0, maximum: 1 }), { minItems: 1 }),
});

const Coefficients = Type.Object({
  format: Type.Literal(1),
  features: Type.Array(Type.String()),
  span: Type.Object({ first: Type.Integer(), last: Type.Integer() }),
  horizons: Type.Array(Horizon, { minItems: 1 }),
});

export type RiskCoefficients = Static<typeof Coefficients>;

export interface CalvingRisk {
  /** 0 to 1. */
  readonly probability: number;
  /** What it rests on: the fitted model, or days since insemination alone. */
  readonly basis: 'model' | 'table';
  readonly horizonDays: number;
}

/**
 * @param value the content of coefficients.json
 * @throws INVALID_CONFIG when it was written for other features than this code has
 */
export function parseCoefficients(value: unknown): RiskCoefficients {
  if (!Value.Check(Coefficients, value)) {
    const [first] = Value.Errors(Coefficients, value);
    throw invalid(`the risk coefficients are wrong at ${first?.instancePath}: ${first?.message}`);
  }
  const size = gestationSpan.last - gestationSpan.first + 1;
  const isSame =
    value.features.join() === featureNames.join() &&
    value.span.first === gestationSpan.first &&
    value.span.last === gestationSpan.last &&
    value.horizons.every(
      ({ weights, table }) =>
        table.length === size && (weights === null || weights.length === featureNames.length),
    );
  if (!isSame) throw invalid('the risk coefficients were fitted for other features than these');
  return value;
}

/**
 * @param horizonDays one of those that the coefficients were fitted for
 * @throws INVALID_CONFIG for another horizon, INVALID_ARGUMENT for days or parity below 0
 */
export function predictCalving(
  day: CowDay,
  coefficients: RiskCoefficients,
  horizonDays: number,
): CalvingRisk {
  const horizon = coefficients.horizons.find(({ days }) => days === horizonDays);
  if (horizon === undefined) {
    const known = coefficients.horizons.map(({ days }) => days).join(' or ');
    throw invalid(`no risk within ${horizonDays} days was fitted, only within ${known}`);
  }
  for (const name of ['daysSinceInsemination', 'parity'] as const) {
    if (day[name] >= 0 && Number.isFinite(day[name])) continue;
    throw new FreshetError('INVALID_ARGUMENT', `${name} is ${day[name]}, which no cow has`);
  }
  const { weights, table } = horizon;
  const days = day.daysSinceInsemination;
  if (weights === null || days < gestationSpan.first || !canUseModel(day)) {
    return { probability: lookUp(table, days), basis: 'table', horizonDays };
  }
  const probability = logistic(dotAt(featuresOf(day), 0, weights));
  return { probability, basis: 'model', horizonDays };
}

function invalid(message: string): FreshetError {
  return new FreshetError('INVALID_CONFIG', message, {
    mend: 'Use a horizon that was fitted, or fit again with pipelines/dairy/risk/fit.ts',
  });
}
