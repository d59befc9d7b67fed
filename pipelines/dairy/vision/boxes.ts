/**
 * Axis-aligned boxes and what detectors need of them: overlap, non-maximum suppression, growth.
 */

/** Left, top, width, height in pixels of the upright picture; may have fractions. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Detection {
  readonly box: Box;
  /** 0 to 1. */
  readonly score: number;
  readonly classIndex: number;
  /** The name of the class, its number as text where the description gives no names. */
  readonly label: string;
}

/** Intersection over union, 0 to 1. */
export function iou(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/**
 * Greedy non-maximum suppression within each class: of boxes that overlap by more than
 * `overlapMax`, the one with the higher score stays. Best first, at most `countMax`.
 */
export function suppressOverlaps(
  found: readonly Detection[],
  overlapMax: number,
  countMax: number,
): Detection[] {
  const kept: Detection[] = [];
  for (const candidate of found.toSorted((a, b) => b.score - a.score)) {
    if (kept.length === countMax) break;
    const hidden = kept.some(
      (k) => k.classIndex === candidate.classIndex && iou(k.box, candidate.box) > overlapMax,
    );
    if (!hidden) kept.push(candidate);
  }
  return kept;
}

/** The box larger by `share` of its size on each of its four sides. */
export function growBox(box: Box, share: number): Box {
  return {
    x: box.x - box.width * share,
    y: box.y - box.height * share,
    width: box.width * (1 + 2 * share),
    height: box.height * (1 + 2 * share),
  };
}

/** The part of the box inside a picture of this size; null when nothing of it is inside. */
export function clipBox(box: Box, width: number, height: number): Box | null {
  const x = Math.max(0, box.x);
  const y = Math.max(0, box.y);
  const right = Math.min(width, box.x + box.width);
  const bottom = Math.min(height, box.y + box.height);
  if (!(right > x && bottom > y)) return null;
  return { x, y, width: right - x, height: bottom - y };
}
