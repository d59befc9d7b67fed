import type { Difficulty } from './pose.ts';
import { Random } from './random.ts';

/** What light and lens do to one frame. */
export type Exposure = {
  readonly blurSigma: number;
  /** Factors on red, green and blue. */
  readonly gains: readonly [number, number, number];
  readonly contrast: number;
  /** Brightness at the left edge over that at the right edge, around 1. */
  readonly slope: number;
  /** Of the noise, in levels of 256. */
  readonly noiseSigma: number;
  readonly noiseStart: number;
  readonly jpegQuality: number;
};

export function exposureOf(random: Random, difficulty: Difficulty): Exposure {
  const isHard = difficulty === 'hard';
  const gain = isHard ? random.between(0.45, 1.35) : random.between(0.72, 1.18);
  const tint = isHard ? 0.11 : 0.06;
  const channel = (): number => gain * (1 + random.between(-tint, tint));
  return {
    blurSigma: isHard ? random.between(0.3, 2.4) : random.between(0.3, 1.2),
    gains: [channel(), channel(), channel()],
    contrast: isHard ? random.between(0.7, 1.25) : random.between(0.88, 1.12),
    slope: isHard ? random.between(-0.35, 0.35) : random.between(-0.15, 0.15),
    noiseSigma: isHard ? random.between(2, 20) : random.between(1, 9),
    noiseStart: random.integer(0, noiseSize - 1),
    jpegQuality: isHard ? random.integer(45, 90) : random.integer(68, 92),
  };
}

/** A power of two, so that a position wraps by a mask. */
const noiseSize = 2 ** 16;

/** Draws of the standard normal distribution; a frame reads them from a start of its own. */
const noise = noiseTable();

/** Applies light and noise to interleaved RGB bytes, in place. */
export function expose(pixels: Uint8Array, width: number, exposure: Exposure): void {
  const tables = exposure.gains.map((gain) => levels(gain, exposure.contrast));
  const [red, green, blue] = tables;
  if (red === undefined || green === undefined || blue === undefined) return;
  const columns = new Float32Array(width);
  for (let x = 0; x < width; x++) columns[x] = 1 + exposure.slope * (x / width - 0.5);
  const sigma = exposure.noiseSigma;
  let position = exposure.noiseStart;
  for (let i = 0, x = 0; i + 2 < pixels.length; i += 3) {
    const column = columns[x] ?? 1;
    x = x + 1 === width ? 0 : x + 1;
    // An odd stride from row to row keeps the table from showing as a pattern.
    const grain = (noise[position & (noiseSize - 1)] ?? 0) * sigma;
    const speckle = (noise[(position + 7919) & (noiseSize - 1)] ?? 0) * sigma * 0.5;
    position += x === 0 ? 5077 : 1;
    pixels[i] = byte((red[pixels[i] ?? 0] ?? 0) * column + grain + speckle);
    pixels[i + 1] = byte((green[pixels[i + 1] ?? 0] ?? 0) * column + grain);
    pixels[i + 2] = byte((blue[pixels[i + 2] ?? 0] ?? 0) * column + grain - speckle);
  }
}

function byte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function levels(gain: number, contrast: number): Float32Array {
  const table = new Float32Array(256);
  for (let level = 0; level < 256; level++) table[level] = ((level - 118) * contrast + 118) * gain;
  return table;
}

function noiseTable(): Float32Array {
  const random = new Random(1);
  return Float32Array.from({ length: noiseSize }, () => random.normal());
}
