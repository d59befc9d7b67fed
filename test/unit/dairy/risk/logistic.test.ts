import { expect, test } from 'vitest';
import { Random } from '../../../../pipelines/dairy/camera/random.ts';
import { fitLogistic, logistic } from '../../../../pipelines/dairy/risk/logistic.ts';

test('the weights behind drawn labels are found again', () => {
  const random = new Random(5);
  const truth = [-1.5, 2, -0.7];
  const count = 40_000;
  const features = new Float64Array(count * 3);
  const labels = new Uint8Array(count);
  for (let row = 0; row < count; row += 1) {
    const x = [1, random.normal(), random.chance(0.3) ? 1 : 0];
    features.set(x, row * 3);
    const score = x.reduce((sum, value, i) => sum + value * (truth[i] ?? 0), 0);
    labels[row] = random.chance(logistic(score)) ? 1 : 0;
  }
  const weights = fitLogistic({ features, labels, width: 3 }, 1e-3);
  truth.forEach((value, i) => expect(weights[i]).toBeCloseTo(value, 1));
});

test('at the fit, predictions and labels agree on the average of each feature', () => {
  const features = Float64Array.of(1, 0, 1, 0, 1, 1, 1, 1, 1, 1);
  const labels = Uint8Array.of(1, 0, 1, 1, 0);
  const [intercept = 0, slope = 0] = fitLogistic({ features, labels, width: 2 }, 1e-9);
  expect(logistic(intercept)).toBeCloseTo(1 / 2, 6);
  expect(logistic(intercept + slope)).toBeCloseTo(2 / 3, 6);
});

test('the ridge keeps separable data finite and an empty feature at 0', () => {
  const features = Float64Array.of(-1, 0, 1, 0);
  const [weight = 0, empty] = fitLogistic({ features, labels: Uint8Array.of(0, 1), width: 2 }, 0.1);
  expect(weight).toBeGreaterThan(1);
  expect(weight).toBeLessThan(10);
  expect(empty).toBe(0);
});
