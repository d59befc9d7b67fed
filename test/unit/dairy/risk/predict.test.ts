import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { featureNames, featuresOf } from '../../../../pipelines/dairy/risk/features.ts';
import type { CowDay } from '../../../../pipelines/dairy/risk/features.ts';
import { parseCoefficients, predictCalving } from '../../../../pipelines/dairy/risk/predict.ts';
import type { CalvingRisk, RiskCoefficients } from '../../../../pipelines/dairy/risk/predict.ts';

const file = new URL('../../../../pipelines/dairy/risk/coefficients.json', import.meta.url);
const content = JSON.parse(readFileSync(file, 'utf8')) as RiskCoefficients & {
  examples: { day: CowDay; risks: CalvingRisk[] }[];
};
let coefficients: RiskCoefficients;
beforeAll(() => {
  coefficients = parseCoefficients(content);
});

const milk = { daysSinceRecord: 60, yield: 15, fat: 4.4, protein: 3.6 };
const dry: CowDay = { daysSinceInsemination: 281, parity: 2, daysSinceCalving: 370, milk };
const risk = (day: CowDay, horizon = 7) => predictCalving(day, coefficients, horizon).probability;

test('what the fit answered for days of its tables is answered again', () => {
  expect(content.examples.length).toBeGreaterThan(15);
  for (const { day, risks } of content.examples) {
    for (const expected of risks) {
      const found = predictCalving(day, coefficients, expected.horizonDays);
      expect(found.probability).toBeCloseTo(expected.probability, 9);
      expect(found.basis).toBe(expected.basis);
    }
  }
});

test('the probability is the logistic of the weighted features', () => {
  const horizon = coefficients.horizons.find(({ days }) => days === 7);
  const features = featuresOf(dry);
  const score = (horizon?.weights ?? []).reduce((sum, w, i) => sum + w * (features[i] ?? 0), 0);
  expect(risk(dry)).toBeCloseTo(1 / (1 + Math.exp(-score)), 12);
});

test('the risk rises towards the term, and a week holds more than a day', () => {
  const at = (daysSinceInsemination: number) => ({ ...dry, daysSinceInsemination });
  expect(risk(at(230))).toBeLessThan(0.02);
  expect(risk(at(270))).toBeLessThan(risk(at(276)));
  expect(risk(at(276))).toBeLessThan(risk(at(281)));
  for (const day of [240, 265, 275, 282, 290]) {
    expect(risk(at(day), 1)).toBeLessThan(risk(at(day), 7));
  }
});

test('a cow that still gives milk near her term is less likely to calve than a dry one', () => {
  const milked = { ...dry, milk: { ...milk, daysSinceRecord: 5, yield: 24 } };
  expect(risk(milked)).toBeLessThan(risk(dry) / 3);
});

test('without what the model needs the table answers, and says so', () => {
  const unknown = predictCalving({ ...dry, milk: null }, coefficients, 7);
  expect(unknown.basis).toBe('table');
  expect(unknown.probability).toBeGreaterThan(0.2);
  const early = predictCalving({ ...dry, daysSinceInsemination: 40 }, coefficients, 7);
  expect(early).toMatchObject({ basis: 'table' });
  expect(early.probability).toBeLessThan(0.001);
});

test('another horizon, other features and impossible cows are refused', () => {
  const code = 'INVALID_CONFIG';
  expect(() => predictCalving(dry, coefficients, 3)).toThrow('only within 1 or 7');
  expect(() => predictCalving({ ...dry, parity: -1 }, coefficients, 7)).toThrow('parity is -1');
  expect(() => predictCalving({ ...dry, daysSinceInsemination: NaN }, coefficients, 7)).toThrow(
    'daysSinceInsemination is NaN',
  );
  const other = { ...content, features: featureNames.slice(1) };
  expect(() => parseCoefficients(other)).toThrow(expect.objectContaining({ code }));
  expect(() => parseCoefficients({})).toThrow(expect.objectContaining({ code }));
  expect(() => parseCoefficients({ ...content, horizons: [] })).toThrow('horizons');
});
