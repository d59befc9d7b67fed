/** The few SVG elements that scenes are drawn with. */
import type { Random } from './random.ts';

export function rect(x: number, y: number, width: number, height: number, fill: string): string {
  const size = `width="${width.toFixed(1)}" height="${height.toFixed(1)}"`;
  return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${size} fill="${fill}"/>`;
}

export function path(data: string, fill: string): string {
  return `<path d="${data}" fill="${fill}"/>`;
}

export type Span = readonly [low: number, high: number];

/** A random colour: hue in degrees, saturation and lightness in percent. */
export function shade(random: Random, hue: Span, saturation: Span, lightness: Span): string {
  // A span of one number costs no draw, so that fixing a number leaves the rest of a scene alone.
  const [h, s, l] = [hue, saturation, lightness].map(([low, high]) =>
    low === high ? low : random.integer(low, high),
  );
  return `hsl(${h},${s}%,${l}%)`;
}
