/**
 * What a model gave back, as 32-bit floats by name, and the check that it has the shape that a
 * decoder needs.
 */
import { visionError } from './errors.ts';

export interface Output {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export type Outputs = readonly Output[];

/** @throws MODEL_INVALID naming the outputs that are there */
export function outputNamed(outputs: Outputs, name: string): Output {
  const found = outputs.find((output) => output.name === name);
  if (found !== undefined) return found;
  throw wrongOutputs(`an output ${name}`, outputs);
}

export function wrongOutputs(expected: string, outputs: Outputs): Error {
  const found = outputs.map(({ name, dims }) => `${name} [${dims.join(', ')}]`).join(', ');
  return visionError('MODEL_INVALID', {
    message: `the model gives ${found}; the decoder expects ${expected}`,
    mend: 'Choose the decoder, strides and input size that belong to this model',
  });
}
