/**
 * YOLOX: an anchor-free head whose raw output is decoded here.
 *
 * Source: Ge, Liu, Wang, Li, Sun, "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430,
 * section 2.1, and the decoding that its ONNX demonstration describes: a cell of stride s at
 * column gx and row gy holds (x + gx) s, (y + gy) s, e^w s, e^h s, objectness and class scores.
 */
import { suppressOverlaps } from './boxes.ts';
import type { Detection } from './boxes.ts';
import type { DetectorClasses } from './detector-classes.ts';
import type { YoloxConfig } from './model-config.ts';
import { wrongOutputs } from './outputs.ts';
import type { Outputs } from './outputs.ts';

/** Boxes come in pixels of the model's input. @throws MODEL_INVALID for another shape */
export function decodeYolox(
  outputs: Outputs,
  input: { readonly width: number; readonly height: number },
  config: YoloxConfig,
  classes: DetectorClasses,
): Detection[] {
  const grids = config.strides.map((stride) => ({
    stride,
    columns: Math.floor(input.width / stride),
    rows: Math.floor(input.height / stride),
  }));
  const cells = grids.reduce((sum, { columns, rows }) => sum + columns * rows, 0);
  const output = outputs[0];
  const fields = output?.dims[2] ?? 0;
  if (output === undefined || output.dims.length !== 3 || output.dims[1] !== cells || fields < 6) {
    const strides = config.strides.join(', ');
    throw wrongOutputs(
      `one output [1, ${cells}, 5 + classes] from ${input.width} x ${input.height} ` +
        `and strides ${strides}`,
      outputs,
    );
  }
  const wanted = classes.indexes(fields - 5);
  const found: Detection[] = [];
  let at = 0;
  for (const { stride, columns, rows } of grids) {
    for (let cell = 0; cell < columns * rows; cell += 1, at += fields) {
      const objectness = output.data[at + 4] ?? 0;
      if (objectness < config.scoreThreshold) continue;
      for (const classIndex of wanted) {
        const score = objectness * (output.data[at + 5 + classIndex] ?? 0);
        if (!(score >= config.scoreThreshold)) continue;
        const width = Math.exp(output.data[at + 2] ?? 0) * stride;
        const height = Math.exp(output.data[at + 3] ?? 0) * stride;
        const x = ((output.data[at] ?? 0) + (cell % columns)) * stride - width / 2;
        const y = ((output.data[at + 1] ?? 0) + Math.floor(cell / columns)) * stride - height / 2;
        const label = classes.label(classIndex);
        found.push({ box: { x, y, width, height }, score, classIndex, label });
      }
    }
  }
  return suppressOverlaps(found, config.nms, config.detectionsMax);
}
