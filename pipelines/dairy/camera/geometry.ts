import type { Random } from './random.ts';

/** x to the right, y downward, in the units of the figure or in pixels. */
export type Point = readonly [x: number, y: number];

/** x' = a x + c y + e, y' = b x + d y + f: the six numbers of an SVG matrix. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export type Box = {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
};

export function translation(x: number, y: number): Matrix {
  return [1, 0, 0, 1, x, y];
}

export function scaling(x: number, y: number): Matrix {
  return [x, 0, 0, y, 0, 0];
}

/** A turn by degrees, clockwise on the screen, about a point. */
export function rotation(degrees: number, about: Point = [0, 0]): Matrix {
  const angle = (degrees * Math.PI) / 180;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const [x, y] = about;
  return [cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y];
}

/** The matrix that applies `first`, and `second` to what came of it. */
export function joined(first: Matrix, second: Matrix): Matrix {
  const [a, b, c, d, e, f] = first;
  const [g, h, i, j, k, l] = second;
  return [
    g * a + i * b,
    h * a + j * b,
    g * c + i * d,
    h * c + j * d,
    g * e + i * f + k,
    h * e + j * f + l,
  ];
}

export function moved(points: readonly Point[], by: Matrix): Point[] {
  const [a, b, c, d, e, f] = by;
  return points.map(([x, y]) => [a * x + c * y + e, b * x + d * y + f]);
}

/** The points of a closed Catmull-Rom curve through the given ones, `steps` to a segment. */
export function sampledCurve(points: readonly Point[], steps: number): Point[] {
  const out: Point[] = [];
  for (let i = 0; i < points.length; i++) {
    const [start, first, second, end] = segment(points, i);
    for (let step = 0; step < steps; step++) {
      const t = step / steps;
      const u = 1 - t;
      const w = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t] as const;
      out.push([
        w[0] * start[0] + w[1] * first[0] + w[2] * second[0] + w[3] * end[0],
        w[0] * start[1] + w[1] * first[1] + w[2] * second[1] + w[3] * end[1],
      ]);
    }
  }
  return out;
}

/** SVG path data of a closed Catmull-Rom curve through the points. */
export function smoothPath(points: readonly Point[]): string {
  let data = `M${xy(at(points, 0))}`;
  for (let i = 0; i < points.length; i++) {
    const [, first, second, end] = segment(points, i);
    data += `C${xy(first)} ${xy(second)} ${xy(end)}`;
  }
  return `${data}Z`;
}

/** SVG path data of a closed polygon. */
export function polygonPath(points: readonly Point[]): string {
  return `M${points.map(xy).join('L')}Z`;
}

/** Whether a point lies inside a closed polygon (even-odd rule). */
export function isInside(polygon: readonly Point[], [x, y]: Point): boolean {
  let inside = false;
  for (let i = 0; i < polygon.length; i++) {
    const [x1, y1] = at(polygon, i);
    const [x2, y2] = at(polygon, i + 1);
    if (y1 > y !== y2 > y && x < x1 + ((x2 - x1) * (y - y1)) / (y2 - y1)) inside = !inside;
  }
  return inside;
}

export function boundsOf(points: readonly Point[]): Box {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const x = Math.min(...xs);
  const y = Math.min(...ys);
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

/** The corners of a random closed blob around a centre; the curve through them is smooth. */
export function blob(random: Random, centre: Point, rx: number, ry: number): Point[] {
  const corners = random.integer(6, 9);
  const turn = random.between(0, 2 * Math.PI);
  const out: Point[] = [];
  for (let i = 0; i < corners; i++) {
    const angle = turn + ((i + random.between(-0.25, 0.25)) / corners) * 2 * Math.PI;
    const reach = random.between(0.62, 1.25);
    out.push([centre[0] + Math.cos(angle) * rx * reach, centre[1] + Math.sin(angle) * ry * reach]);
  }
  return out;
}

export function xy([x, y]: Point): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

function at(points: readonly Point[], index: number): Point {
  const point = points[(index + points.length) % points.length];
  if (point === undefined) throw new RangeError('a curve needs at least one point');
  return point;
}

/** Start, two control points and end of the Bezier segment that leaves point `i`. */
function segment(points: readonly Point[], i: number): [Point, Point, Point, Point] {
  const before = at(points, i - 1);
  const start = at(points, i);
  const end = at(points, i + 1);
  const after = at(points, i + 2);
  return [
    start,
    [start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6],
    [end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6],
    end,
  ];
}
