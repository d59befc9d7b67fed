/**
 * Runs the three nets on one JPEG after the other, with onnxruntime and sharp alone: the
 * measure that the pipeline's own reader is held against.
 */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import type { Box, CoatColour } from '../camera/mod.ts';
import { openSession } from '../vision/mod.ts';
import { cowThreshold } from './manifest.ts';
import type { NetBytes } from './manifest.ts';
import { cropGrowth, cropSize, cropped, frameSize, grownWindow, stretched } from './pixels.ts';
import type { Picture, Size } from './pixels.ts';

export type Scene = {
  readonly found: boolean;
  readonly score: number;
  /** In pixels of the frame; says nothing when no cow was found. */
  readonly box: Box;
  readonly coat: CoatColour;
  /** How sure the filter is that the coat is black: 0..1. */
  readonly black: number;
};

export class CowReader {
  readonly #filter: InferenceSession;
  readonly #identity: Readonly<Record<CoatColour, InferenceSession>>;

  private constructor(
    filter: InferenceSession,
    identity: Readonly<Record<CoatColour, InferenceSession>>,
  ) {
    this.#filter = filter;
    this.#identity = identity;
  }

  static async open(nets: NetBytes): Promise<CowReader> {
    const [filter, white, black] = await Promise.all(
      [nets.filter, nets.white, nets.black].map((bytes) => openSession(bytes)),
    );
    if (filter === undefined || white === undefined || black === undefined) {
      throw new Error('three nets are needed');
    }
    return new CowReader(filter, { white, black });
  }

  async look(picture: Picture): Promise<Scene> {
    const input = await stretched(picture, frameSize);
    const told = await this.#filter.run({ frame: tensorOf(input, frameSize) });
    const [score = 0, cx = 0, cy = 0, w = 0, h = 0] = numbersOf(told['scene']);
    const [white = 0, black = 0] = numbersOf(told['coat']);
    const box = {
      x: (cx - w / 2) * picture.width,
      y: (cy - h / 2) * picture.height,
      width: w * picture.width,
      height: h * picture.height,
    };
    const coat = black > white ? 'black' : 'white';
    return { found: score >= cowThreshold, score, box, coat, black };
  }

  /** The embedding of the cow in the box, by the net of its coat: length 1. */
  async embed(picture: Picture, box: Box, coat: CoatColour): Promise<Float32Array> {
    const input = await cropped(picture, grownWindow(box, cropGrowth, picture), cropSize);
    const told = await this.#identity[coat].run({ crop: tensorOf(input, cropSize) });
    return Float32Array.from(numbersOf(told['embedding']));
  }

  async close(): Promise<void> {
    const { white, black } = this.#identity;
    await Promise.all([this.#filter, white, black].map((session) => session.release()));
  }
}

/** Interleaved bytes to planes of shares. */
function tensorOf(pixels: Buffer, { width, height }: Size): Tensor {
  const plane = width * height;
  const data = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    data[i] = (pixels[3 * i] ?? 0) / 255;
    data[plane + i] = (pixels[3 * i + 1] ?? 0) / 255;
    data[2 * plane + i] = (pixels[3 * i + 2] ?? 0) / 255;
  }
  return new Tensor('float32', data, [1, 3, height, width]);
}

function numbersOf(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new Error('a net has other outputs than models.json says');
}
