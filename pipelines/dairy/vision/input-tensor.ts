/**
 * Pixels to the numbers that a model takes: cut, scale, pad, order, normalise. Every channel has
 * a table of 256 results, so that a pixel costs one look-up whatever the normalisation is.
 */
import sharp from 'sharp';
import type { Box } from './boxes.ts';
import type { RawImage } from './decode-image.ts';
import { toHalf } from './half-float.ts';
import type { InputConfig } from './model-config.ts';
import { placePicture } from './placement.ts';
import type { Placement } from './placement.ts';

export interface PreparedInput {
  /** float16 inputs as their bits; 3 * height * width numbers in the model's layout. */
  readonly data: Float32Array | Uint16Array;
  readonly placement: Placement;
}

/** Degrees clockwise. */
export type QuarterTurn = 0 | 90 | 180 | 270;

/** In which order the pixels of a picture are read so that it comes out turned; in pixels. */
interface Walk {
  readonly start: number;
  readonly stepX: number;
  readonly stepY: number;
}

export class InputPreparer {
  readonly #input: InputConfig;
  /** A table for each channel, in the model's order. */
  readonly #tables: readonly (Float32Array | Uint16Array)[];
  /** Where in a red-green-blue pixel each of the model's channels lies. */
  readonly #order: readonly number[];

  constructor(input: InputConfig) {
    this.#input = input;
    this.#tables = [0, 1, 2].map((channel) => pixelTable(input, channel));
    this.#order = input.channels === 'RGB' ? [0, 1, 2] : [2, 1, 0];
  }

  /**
   * @param region whole pixels of the picture to look at, at least 1 by 1, inside it
   * @param turn clockwise, after cutting; the placement of a turned region maps no boxes back
   */
  async prepare(image: RawImage, region: Box, turn: QuarterTurn = 0): Promise<PreparedInput> {
    const isAcross = turn === 90 || turn === 270;
    const { width, height } = this.#input;
    const asSeen = isAcross ? { width: height, height: width } : { width, height };
    const placement = placePicture(region, asSeen, this.#input.resize);
    const { target } = placement;
    const pixels = await this.#scaled(image, placement);
    const { x, y } = target;
    const turned = isAcross ? { x: y, y: x, width: target.height, height: target.width } : target;
    return { data: this.#fill(pixels, turned, turnedWalk(turn, target)), placement };
  }

  async #scaled(image: RawImage, { source, target }: Placement): Promise<Uint8Array> {
    const { width, height } = image;
    const isWhole = source.width === width && source.height === height;
    // Already cut and scaled by the stage before.
    if (isWhole && target.width === width && target.height === height) return image.pixels;
    return sharp(image.pixels, { raw: { width, height, channels: 3 } })
      .extract({ left: source.x, top: source.y, width: source.width, height: source.height })
      .resize(target.width, target.height, { fit: 'fill', kernel: this.#input.kernel })
      .raw()
      .toBuffer();
  }

  #fill(pixels: Uint8Array, target: Box, walk: Walk): Float32Array | Uint16Array {
    const { width, height, layout, dtype, pad } = this.#input;
    const area = width * height;
    const data = dtype === 'float16' ? new Uint16Array(3 * area) : new Float32Array(3 * area);
    const isPlanar = layout === 'NCHW';
    const step = isPlanar ? 1 : 3;
    const isPadded = target.width !== width || target.height !== height;
    for (let channel = 0; channel < 3; channel += 1) {
      const table = this.#tables[channel] as Float32Array;
      const offset = isPlanar ? channel * area : channel;
      if (isPadded) {
        const padValue = table[Math.round(pad)] ?? 0;
        for (let i = 0; i < area; i += 1) data[offset + i * step] = padValue;
      }
      const first = walk.start * 3 + (this.#order[channel] ?? 0);
      for (let y = 0; y < target.height; y += 1) {
        let from = first + y * walk.stepY * 3;
        let to = offset + ((target.y + y) * width + target.x) * step;
        for (let x = 0; x < target.width; x += 1) {
          data[to] = table[pixels[from] as number] as number;
          from += walk.stepX * 3;
          to += step;
        }
      }
    }
    return data;
  }
}

function turnedWalk(turn: QuarterTurn, { width, height }: Box): Walk {
  switch (turn) {
    case 0:
      return { start: 0, stepX: 1, stepY: width };
    case 90:
      return { start: (height - 1) * width, stepX: -width, stepY: 1 };
    case 180:
      return { start: height * width - 1, stepX: -1, stepY: -width };
    case 270:
      return { start: width - 1, stepX: width, stepY: -1 };
  }
}

function pixelTable(input: InputConfig, channel: number): Float32Array | Uint16Array {
  const mean = input.mean[channel] ?? 0;
  const std = input.std[channel] ?? 1;
  const values = Float32Array.from({ length: 256 }, (_, p) => (p * input.scale - mean) / std);
  return input.dtype === 'float32' ? values : Uint16Array.from(values, toHalf);
}
