/** Small real ONNX files and pictures, built here, for the tests of the vision code. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import sharp from 'sharp';
import { parseModelConfig } from '../../../../pipelines/dairy/vision/model-config.ts';
import type { ModelConfig } from '../../../../pipelines/dairy/vision/model-config.ts';
import type { RawImage } from '../../../../pipelines/dairy/vision/mod.ts';

const { onnx } = onnxProto;

export interface TinyModel {
  readonly dtype?: 'float32' | 'float16';
  readonly dims?: readonly (number | string)[];
  /** Pairs of operator and output; each takes what the one before gave. */
  readonly nodes: readonly (readonly [op: string, output: string])[];
}

/** A chain of operators on one picture input called `picture`. */
export function tinyModel({
  dtype = 'float32',
  dims = [1, 3, 4, 4],
  nodes,
}: TinyModel): Uint8Array {
  const elemType = onnx.TensorProto.DataType[dtype === 'float32' ? 'FLOAT' : 'FLOAT16'];
  const dim = dims.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  const last = nodes.at(-1)?.[1] ?? '';
  return onnx.ModelProto.encode(
    onnx.ModelProto.create({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 13 }],
      graph: {
        name: 'tiny',
        input: [{ name: 'picture', type: { tensorType: { elemType, shape: { dim } } } }],
        output: [{ name: last, type: { tensorType: { elemType } } }],
        node: nodes.map(([opType, output], i) => ({
          name: output,
          opType,
          input: [i === 0 ? 'picture' : (nodes[i - 1]?.[1] ?? '')],
          output: [output],
        })),
      },
    }),
  ).finish();
}

/** Gives the input back, number by number. */
export const echo: TinyModel = { nodes: [['Identity', 'same']] };

export function writeModel(folder: string, model: TinyModel): string {
  const file = 'tiny.onnx';
  writeFileSync(join(folder, file), tinyModel(model));
  return file;
}

/** An embedding that is the input itself, not normalised, with these changes. */
export function echoConfig(
  input: object = {},
  decoder: object = {},
  more: object = {},
): ModelConfig {
  return parseModelConfig({
    name: 'echo',
    file: 'tiny.onnx',
    input: { name: 'picture', width: 4, height: 4, kernel: 'nearest', ...input },
    decoder: { type: 'embedding', normalize: false, ...decoder },
    ...more,
  });
}

/** A picture whose pixel at column x and row y is [x, y, 200]. */
export function gradient(width: number, height: number): RawImage {
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels.set([x, y, 200], (y * width + x) * 3);
  }
  return { width, height, pixels };
}

export async function jpegOf(image: RawImage): Promise<Buffer> {
  const { width, height, pixels } = image;
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .toBuffer();
}
