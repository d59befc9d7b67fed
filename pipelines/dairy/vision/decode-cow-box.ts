/**
 * The repository's own filter: is there a cow, where, and of which coat, from one small network
 * that looks at the whole frame squeezed to its input.
 */
import type { Box } from './boxes.ts';
import type { CowBoxConfig } from './model-config.ts';
import { outputNamed, wrongOutputs } from './outputs.ts';
import type { Outputs } from './outputs.ts';

export interface Coat {
  readonly name: string;
  /** 0 to 1; of all coats together 1. */
  readonly probability: number;
}

export interface CowReading {
  /** 0 to 1: how sure the filter is that a cow is in the frame. */
  readonly score: number;
  /** In pixels of the model's input; says nothing when the score is low. */
  readonly box: Box;
  readonly coat: Coat | null;
}

/** @throws MODEL_INVALID for other shapes */
export function decodeCowBox(
  outputs: Outputs,
  input: { readonly width: number; readonly height: number },
  config: CowBoxConfig,
): CowReading {
  const { data, dims } = outputNamed(outputs, config.boxOutput);
  if (data.length !== 5)
    throw wrongOutputs(`${config.boxOutput} [1, 5], not [${dims.join(', ')}]`, outputs);
  const [score = 0, cx = 0, cy = 0, w = 0, h = 0] = data;
  const width = w * input.width;
  const height = h * input.height;
  const box = { x: cx * input.width - width / 2, y: cy * input.height - height / 2, width, height };
  return { score, box, coat: coatOf(outputs, config) };
}

function coatOf(outputs: Outputs, config: CowBoxConfig): Coat | null {
  if (config.coatOutput === null) return null;
  const { data } = outputNamed(outputs, config.coatOutput);
  if (data.length !== config.coats.length || data.length === 0) {
    throw wrongOutputs(`${config.coatOutput} with ${config.coats.length} coats`, outputs);
  }
  const shares = config.coatValues === 'logits' ? softmax(data) : data;
  const sums = new Map<string, number>();
  config.coats.forEach((name, i) => sums.set(name, (sums.get(name) ?? 0) + (shares[i] ?? 0)));
  const [first, ...others] = [...sums].map(([name, probability]) => ({ name, probability }));
  if (first === undefined) return null;
  return others.reduce((best, coat) => (coat.probability > best.probability ? coat : best), first);
}

function softmax(logits: Float32Array): Float32Array {
  const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}
