/**
 * Logistic regression with a ridge penalty by Newton's method (iteratively reweighted least
 * squares; Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, section 4.4.1).
 */

export interface LabelledRows {
  /** Row after row, `width` numbers each. */
  readonly features: Float64Array;
  /** 0 or 1 for each row. */
  readonly labels: Uint8Array;
  readonly width: number;
}

const iterationsMax = 50;
const stepMin = 1e-7;

/** @param ridge half the weight of each squared coefficient, in rows; makes the fit unique */
export function fitLogistic(rows: LabelledRows, ridge: number): Float64Array {
  const { width } = rows;
  const weights = new Float64Array(width);
  for (let iteration = 0; iteration < iterationsMax; iteration += 1) {
    const { gradient, hessian } = derivatives(rows, weights, ridge);
    const step = solve(hessian, gradient, width);
    let largest = 0;
    for (let i = 0; i < width; i += 1) {
      // A long step where the data say little would overshoot.
      const change = Math.max(-3, Math.min(3, step[i] ?? 0));
      weights[i] = (weights[i] ?? 0) + change;
      largest = Math.max(largest, Math.abs(change));
    }
    if (largest < stepMin) return weights;
  }
  throw new Error(`no convergence in ${iterationsMax} iterations; raise the ridge of ${ridge}`);
}

export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

export function dotAt(features: Float64Array, from: number, weights: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i += 1) {
    sum += (features[from + i] as number) * (weights[i] as number);
  }
  return sum;
}

/** Of the penalised log-likelihood: its slope, and minus its curvature (symmetric, by rows). */
function derivatives(
  rows: LabelledRows,
  weights: Float64Array,
  ridge: number,
): { gradient: Float64Array; hessian: Float64Array } {
  const { features, labels, width } = rows;
  const gradient = weights.map((weight) => -ridge * weight);
  const hessian = new Float64Array(width * width);
  // Most features of a row are 0 (hats): only the others are multiplied.
  const used = new Int32Array(width);
  for (let row = 0; row < labels.length; row += 1) {
    const from = row * width;
    const p = logistic(dotAt(features, from, weights));
    const error = (labels[row] as number) - p;
    const weight = p * (1 - p);
    let count = 0;
    for (let i = 0; i < width; i += 1) if (features[from + i] !== 0) used[count++] = i;
    for (let a = 0; a < count; a += 1) {
      const i = used[a] as number;
      const value = features[from + i] as number;
      gradient[i] = (gradient[i] as number) + error * value;
      for (let b = 0; b <= a; b += 1) {
        const j = used[b] as number;
        const at = i * width + j;
        hessian[at] = (hessian[at] as number) + weight * value * (features[from + j] as number);
      }
    }
  }
  for (let i = 0; i < width; i += 1) {
    hessian[i * width + i] = (hessian[i * width + i] as number) + ridge;
    for (let j = 0; j < i; j += 1) hessian[j * width + i] = hessian[i * width + j] as number;
  }
  return { gradient, hessian };
}

/** Cholesky's decomposition of a symmetric positive matrix, then two triangular solutions. */
function solve(matrix: Float64Array, right: Float64Array, width: number): Float64Array {
  const lower = new Float64Array(width * width);
  const x = Float64Array.from(right);
  for (let i = 0; i < width; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = matrix[i * width + j] as number;
      for (let k = 0; k < j; k += 1) {
        sum -= (lower[i * width + k] as number) * (lower[j * width + k] as number);
      }
      if (i === j && sum <= 0) throw new Error(`the matrix is not positive at row ${i}`);
      lower[i * width + j] = i === j ? Math.sqrt(sum) : sum / (lower[j * width + j] as number);
    }
  }
  for (let i = 0; i < width; i += 1) {
    for (let k = 0; k < i; k += 1) {
      x[i] = (x[i] as number) - (lower[i * width + k] as number) * (x[k] as number);
    }
    x[i] = (x[i] as number) / (lower[i * width + i] as number);
  }
  for (let i = width - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < width; k += 1) {
      x[i] = (x[i] as number) - (lower[k * width + i] as number) * (x[k] as number);
    }
    x[i] = (x[i] as number) / (lower[i * width + i] as number);
  }
  return x;
}
