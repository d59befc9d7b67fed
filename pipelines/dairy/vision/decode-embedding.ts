/**
 * A model's output as one vector: optionally averaged within a grid of cells, so that it keeps
 * where on the picture a feature lies, then divided by its length.
 */
import type { EmbeddingConfig } from './model-config.ts';
import { outputNamed, wrongOutputs } from './outputs.ts';
import type { Output, Outputs } from './outputs.ts';

/** More numbers than this are a feature map that nobody pooled. */
export const embeddingLengthMax = 65_536;

/** @throws MODEL_INVALID when the output is no vector or feature map */
export function decodeEmbedding(outputs: Outputs, config: EmbeddingConfig): Float32Array {
  const output = config.output === null ? outputs[0] : outputNamed(outputs, config.output);
  const isMap = output?.dims.length === 4;
  if (output === undefined || output.dims[0] !== 1 || (!isMap && output.dims.length !== 2)) {
    throw wrongOutputs('[1, channels] or [1, channels, rows, columns]', outputs);
  }
  const { pool } = config;
  const vector = pool === null ? output.data.slice() : poolGrid(output, pool);
  if (vector.length > embeddingLengthMax) {
    throw wrongOutputs(`at most ${embeddingLengthMax} numbers after pooling`, outputs);
  }
  return config.normalize ? normalise(vector) : vector;
}

/**
 * The mean of each channel in each cell; cells overlap by one where the size does not divide,
 * as in adaptive average pooling. Channel by channel, row by row.
 */
function poolGrid(
  output: Output,
  grid: { readonly rows: number; readonly columns: number },
): Float32Array {
  const [, channels = 0, rows = 0, columns = 0] = output.dims;
  if (output.dims.length !== 4 || rows < grid.rows || columns < grid.columns) {
    throw wrongOutputs(`a map of at least ${grid.rows} x ${grid.columns} to pool`, [output]);
  }
  const pooled = new Float32Array(channels * grid.rows * grid.columns);
  let to = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    for (let i = 0; i < grid.rows; i += 1) {
      for (let j = 0; j < grid.columns; j += 1, to += 1) {
        const [top, bottom] = span(i, grid.rows, rows);
        const [left, right] = span(j, grid.columns, columns);
        let sum = 0;
        for (let y = top; y < bottom; y += 1) {
          for (let x = left; x < right; x += 1) {
            sum += output.data[(channel * rows + y) * columns + x] ?? 0;
          }
        }
        pooled[to] = sum / ((bottom - top) * (right - left));
      }
    }
  }
  return pooled;
}

function span(cell: number, cells: number, size: number): readonly [number, number] {
  return [Math.floor((cell * size) / cells), Math.ceil(((cell + 1) * size) / cells)];
}

/** To length 1; a vector of zeros stays as it is. */
export function normalise(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  return length === 0 ? vector : vector.map((value) => value / length);
}
