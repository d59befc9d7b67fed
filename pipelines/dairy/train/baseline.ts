/**
 * What no training gives: the crop shrunk to a few grey pixels, standardised, compared by cosine.
 * It is measured in its own favour: by the true box, and with the threshold picked on the very
 * pictures that it is judged by.
 */
import type { Box } from '../camera/mod.ts';
import { cropped, grownWindow } from './pixels.ts';
import type { Picture } from './pixels.ts';

const pixelSize = { width: 24, height: 18 } as const;

/** Mean 0 and length 1. */
export async function pixelVector(picture: Picture, trueBox: Box): Promise<Float32Array> {
  const rgb = await cropped(picture, grownWindow(trueBox, 0, picture), pixelSize);
  const grey = new Float32Array(pixelSize.width * pixelSize.height);
  for (let i = 0; i < grey.length; i++) {
    const [r = 0, g = 0, b = 0] = rgb.subarray(3 * i, 3 * i + 3);
    grey[i] = 0.299 * r + 0.587 * g + 0.114 * b;
  }
  const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  const centred = grey.map((value) => value - mean);
  const length = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0)) || 1;
  return centred.map((value) => value / length);
}

/** The least threshold at which at most this share of the cosines is accepted. */
export function thresholdFor(cosines: readonly number[], acceptedShare: number): number {
  const falling = [...cosines].sort((a, b) => b - a);
  const accepted = Math.floor(falling.length * acceptedShare);
  // Just above the first cosine that must be refused.
  return (falling[accepted] ?? -1) + 1e-6;
}
