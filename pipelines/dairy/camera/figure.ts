/**
 * Draws one cow: the coat (who it is) on the pose (how it stands). Every outline is moved to
 * pixels here, not by SVG transforms, so that the box is that of the drawn points themselves.
 */
import {
  bellyCorners,
  blazeOutline,
  earOutline,
  eyeAt,
  headAtRestDegrees,
  headJoint,
  headOutline,
  hornOutline,
  legPlans,
  muzzleOutline,
  neckJoint,
  neckOutline,
  nostrilAt,
  tagOutline,
  tailRoot,
  trunkOutline,
  udderAt,
} from './anatomy.ts';
import type { LegPlan } from './anatomy.ts';
import type { Coat, CoatColour, LegCoat } from './coat.ts';
import { other } from './coat.ts';
import {
  boundsOf,
  moved,
  polygonPath,
  rotation,
  sampledCurve,
  scaling,
  smoothPath,
  joined,
  translation,
} from './geometry.ts';
import type { Box, Matrix, Point } from './geometry.ts';
import type { Pose } from './pose.ts';

export type Figure = { readonly svg: string; readonly box: Box };

/** The shades of a coat; far legs lie in the body's shadow. */
const shades: Record<CoatColour, string> = { white: '#efe9dd', black: '#221e1d' };
const shadedShades: Record<CoatColour, string> = { white: '#bdb6a9', black: '#151312' };
const hoofShade = '#3a3029';
const skinShade = '#dcaaa0';
const outline = 'stroke="#15110f" stroke-opacity=".35" stroke-width="1.2"';

/** The pose as a matrix about the trunk's middle, without a place: the caller moves it there. */
export function poseMatrix(pose: Pose, pixelsPerUnit: number): Matrix {
  const askew: Matrix = [1, 0, pose.shear, 1, 0, 0];
  const sized = scaling(pixelsPerUnit * pose.foreshortening, pixelsPerUnit);
  return joined(joined(askew, sized), rotation(pose.turnDegrees));
}

/** `place` takes the figure's units to pixels; `name` keeps apart the ids of two figures. */
export function drawCow(coat: Coat, pose: Pose, place: Matrix, name: string): Figure {
  const canvas = new Canvas(place);
  const neckTurn = rotation(pose.neckDegrees, neckJoint);
  const headTurn = joined(
    joined(rotation(headAtRestDegrees + pose.headDegrees), translation(...headJoint)),
    neckTurn,
  );
  drawTail(canvas, coat, pose);
  drawLeg(canvas, legPlans[1], coat.legs[1], pose.legDegrees[1], shadedShades);
  drawLeg(canvas, legPlans[3], coat.legs[3], pose.legDegrees[3], shadedShades);
  canvas.ellipse(udderAt, 20, 14, skinShade);
  drawNeck(canvas, coat, neckTurn, `${name}n`);
  drawHead(canvas, coat, headTurn);
  drawLeg(canvas, legPlans[0], coat.legs[0], pose.legDegrees[0], shades);
  drawLeg(canvas, legPlans[2], coat.legs[2], pose.legDegrees[2], shades);
  drawTrunk(canvas, coat, pose, `${name}t`);
  return canvas.figure();
}

/** Collects shapes in pixels, and the points that bound them. */
class Canvas {
  readonly #place: Matrix;
  #svg = '';
  #points: Point[] = [];

  constructor(place: Matrix) {
    this.#place = place;
  }

  curve(points: readonly Point[], fill: string, turn: Matrix | null = null): string {
    const drawn = this.#bounded(points, turn);
    const data = smoothPath(drawn);
    this.#svg += `<path d="${data}" fill="${fill}" ${outline}/>`;
    return data;
  }

  polygon(points: readonly Point[], fill: string): void {
    const drawn = moved(points, this.#place);
    this.#points.push(...drawn);
    this.#svg += `<path d="${polygonPath(drawn)}" fill="${fill}"/>`;
  }

  /** Marks that lie inside a shape drawn before, and are cut off at its edge. */
  marks(
    marks: readonly (readonly Point[])[],
    fill: string,
    edge: string,
    name: string,
    turn: Matrix | null = null,
  ): void {
    this.#svg += `<clipPath id="${name}"><path d="${edge}"/></clipPath>`;
    this.#svg += `<g clip-path="url(#${name})">`;
    for (const mark of marks) {
      const inFigure = turn === null ? mark : moved(mark, turn);
      this.#svg += `<path d="${smoothPath(moved(inFigure, this.#place))}" fill="${fill}"/>`;
    }
    this.#svg += '</g>';
  }

  /** A shadow toward the lower edge and a shine along the upper one: it gives a shape its body. */
  volume(edge: string, strength: number): void {
    this.#svg += `<path d="${edge}" fill="url(#volume)" fill-opacity="${strength}"/>`;
  }

  ellipse(centre: Point, rx: number, ry: number, fill: string, turn: Matrix | null = null): void {
    const around: Point[] = [];
    for (let i = 0; i < 8; i++) {
      const angle = (i * Math.PI) / 4;
      around.push([centre[0] + Math.cos(angle) * rx, centre[1] + Math.sin(angle) * ry]);
    }
    this.curve(around, fill, turn);
  }

  line(points: readonly Point[], width: number, stroke: string): void {
    const drawn = moved(points, this.#place);
    const [from, bend, to] = drawn;
    if (from === undefined || bend === undefined || to === undefined) return;
    this.#points.push(from, to);
    const scaled = (width * Math.abs(this.#place[3])).toFixed(1);
    this.#svg += `<path d="M${from.join(' ')}Q${bend.join(' ')} ${to.join(' ')}" fill="none" `;
    this.#svg += `stroke="${stroke}" stroke-width="${scaled}" stroke-linecap="round"/>`;
  }

  figure(): Figure {
    return { svg: this.#svg, box: boundsOf(this.#points) };
  }

  #bounded(points: readonly Point[], turn: Matrix | null): Point[] {
    const drawn = moved(turn === null ? points : moved(points, turn), this.#place);
    this.#points.push(...sampledCurve(drawn, 4));
    return drawn;
  }
}

function drawTrunk(canvas: Canvas, coat: Coat, pose: Pose, name: string): void {
  const corners = [...trunkOutline];
  for (const [corner, units] of bellyCorners) {
    const [x, y] = corners[corner] ?? [0, 0];
    corners[corner] = [x, y + units * pose.belly];
  }
  const edge = canvas.curve(corners, shades[coat.ground]);
  canvas.marks(coat.patches, shades[other(coat.ground)], edge, name);
  canvas.volume(edge, 0.42);
}

function drawNeck(canvas: Canvas, coat: Coat, turn: Matrix, name: string): void {
  const edge = canvas.curve(neckOutline, shades[coat.ground], turn);
  canvas.marks(coat.neckPatches, shades[other(coat.ground)], edge, name, turn);
  canvas.volume(edge, 0.34);
}

function drawHead(canvas: Canvas, coat: Coat, turn: Matrix): void {
  canvas.curve(hornOutline, '#cfc3a4', turn);
  canvas.curve(earOutline, shades[coat.ear], turn);
  canvas.curve(headOutline, shades[coat.head], turn);
  if (coat.blaze > 0) {
    const wide = blazeOutline.map(([x, y], i): Point => [x, i < 4 ? y : y + 20 * coat.blaze]);
    canvas.curve(wide, shades[other(coat.head)], turn);
  }
  canvas.curve(muzzleOutline, coat.darkMuzzle ? '#4a403d' : skinShade, turn);
  canvas.ellipse(nostrilAt, 2.6, 2, '#120e0d', turn);
  canvas.ellipse(eyeAt, 4.4, 3.6, '#0d0a09', turn);
  canvas.ellipse([eyeAt[0] + 1.2, eyeAt[1] - 1.2], 1, 1, '#d8d2c6', turn);
  canvas.curve(tagOutline, '#e8b62c', turn);
}

function drawTail(canvas: Canvas, coat: Coat, pose: Pose): void {
  const [x, y] = tailRoot;
  const end: Point = [x - 14 + pose.tailSwing * 9, y + 104];
  canvas.line([tailRoot, [x - 22, y + 30], end], 6.5, shades[coat.tail]);
  const tuft: Point[] = [
    [end[0] - 3, end[1] - 6],
    [end[0] + 4, end[1] - 4],
    [end[0] + 7, end[1] + 14],
    [end[0] + pose.tailSwing * 4, end[1] + 30],
    [end[0] - 7, end[1] + 14],
  ];
  canvas.curve(tuft, shades[coat.tuft]);
}

function drawLeg(
  canvas: Canvas,
  plan: LegPlan,
  leg: LegCoat,
  degrees: number,
  palette: Record<CoatColour, string>,
): void {
  const upperTurn = rotation(degrees);
  const lowerTurn = rotation(degrees * 0.35 - plan.bendDegrees * 0.4);
  const bend = rotation(plan.bendDegrees);
  const [hipX, hipY] = plan.hip;
  const hip = plan.hipWidth / 2;
  const knee = plan.kneeWidth / 2;
  const upper = joined(joined(bend, upperTurn), translation(hipX, hipY));
  const lowerStart = moved([[0, plan.upper]], upper)[0] ?? plan.hip;
  const lower = joined(lowerTurn, translation(...lowerStart));
  const shin = knee * 0.72;
  const lowerLeg: Point[] = [
    [-knee, -5],
    [knee, -5],
    [shin, plan.lower * 0.5],
    [shin + 1, plan.lower],
    [-shin - 1, plan.lower],
    [-shin, plan.lower * 0.5],
  ];
  canvas.polygon(moved(lowerLeg, lower), palette[leg.upper]);
  if (leg.sock > 0) {
    const top = plan.lower * (1 - 0.85 * leg.sock);
    const sock: Point[] = [
      [-shin - 1, top],
      [shin + 1, top],
      [shin + 1, plan.lower],
      [-shin - 1, plan.lower],
    ];
    canvas.polygon(moved(sock, lower), palette.white);
  }
  const hoof: Point[] = [
    [-shin - 2, plan.lower],
    [shin + 2, plan.lower],
    [shin + 5, plan.lower + 10],
    [-shin - 2, plan.lower + 10],
  ];
  canvas.polygon(moved(hoof, lower), hoofShade);
  const thigh: Point[] = [
    [-hip, -8],
    [0, -16],
    [hip, -8],
    [hip * 0.72, plan.upper * 0.45],
    [knee, plan.upper],
    [-knee, plan.upper],
    [-hip * 0.72, plan.upper * 0.45],
  ];
  canvas.curve(moved(thigh, upper), palette[leg.upper]);
}
