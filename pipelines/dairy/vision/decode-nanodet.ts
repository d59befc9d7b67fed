/**
 * NanoDet: for each stride, class scores and, for each side of the box, a distribution over a
 * few distances whose mean is taken.
 *
 * Source: Li et al., "Generalized Focal Loss: Learning Qualified and Distributed Bounding Boxes
 * for Dense Object Detection", arXiv:2006.04388, section 3 (the distribution over distances),
 * as NanoDet-m uses it. Scores come with the sigmoid applied.
 */
import { suppressOverlaps } from './boxes.ts';
import type { Detection } from './boxes.ts';
import type { DetectorClasses } from './detector-classes.ts';
import type { NanodetConfig } from './model-config.ts';
import { wrongOutputs } from './outputs.ts';
import type { Output, Outputs } from './outputs.ts';

interface Level {
  readonly stride: number;
  readonly columns: number;
  readonly scores: Output;
  readonly distances: Output;
}

/** Boxes come in pixels of the model's input. @throws MODEL_INVALID for other shapes */
export function decodeNanodet(
  outputs: Outputs,
  input: { readonly width: number; readonly height: number },
  config: NanodetConfig,
  classes: DetectorClasses,
): Detection[] {
  const found: Detection[] = [];
  for (const stride of config.strides) {
    const level = levelOf(outputs, input, config, stride);
    const count = level.scores.dims[2] ?? 0;
    const wanted = classes.indexes(count);
    const cells = level.scores.dims[1] ?? 0;
    for (let cell = 0; cell < cells; cell += 1) {
      for (const classIndex of wanted) {
        const score = level.scores.data[cell * count + classIndex] ?? 0;
        if (!(score >= config.scoreThreshold)) continue;
        const box = boxOf(level, cell, config.bins);
        found.push({ box, score, classIndex, label: classes.label(classIndex) });
      }
    }
  }
  return suppressOverlaps(found, config.nms, config.detectionsMax);
}

/** The outputs carry no agreed names: the number of cells tells the stride of each. */
function levelOf(
  outputs: Outputs,
  input: { readonly width: number; readonly height: number },
  config: NanodetConfig,
  stride: number,
): Level {
  const columns = Math.ceil(input.width / stride);
  const cells = columns * Math.ceil(input.height / stride);
  const sides = 4 * config.bins;
  const sized = outputs.filter(({ dims }) => dims.length === 3 && dims[1] === cells);
  const distances = sized.find(({ dims }) => dims[2] === sides);
  const scores = sized.find((output) => output !== distances);
  if (distances === undefined || scores === undefined) {
    throw wrongOutputs(
      `for stride ${stride} scores [1, ${cells}, classes] and ` +
        `distances [1, ${cells}, ${sides}]`,
      outputs,
    );
  }
  return { stride, columns, scores, distances };
}

function boxOf(level: Level, cell: number, bins: number): Detection['box'] {
  const { stride, columns, distances } = level;
  const centreX = ((cell % columns) + 0.5) * stride - 0.5;
  const centreY = (Math.floor(cell / columns) + 0.5) * stride - 0.5;
  const side = (index: number): number => {
    const from = (cell * 4 + index) * bins;
    return meanDistance(distances.data.subarray(from, from + bins)) * stride;
  };
  const [left, top, right, bottom] = [side(0), side(1), side(2), side(3)];
  return { x: centreX - left, y: centreY - top, width: left + right, height: top + bottom };
}

/** Softmax over the bins, then the mean of their numbers. */
function meanDistance(logits: Float32Array): number {
  const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  let total = 0;
  let weighted = 0;
  logits.forEach((logit, bin) => {
    const weight = Math.exp(logit - highest);
    total += weight;
    weighted += weight * bin;
  });
  return weighted / total;
}
