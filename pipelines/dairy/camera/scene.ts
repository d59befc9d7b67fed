/** What stands around a cow: the barn or the yard behind it, other things, rails in front. */
import { blob, smoothPath } from './geometry.ts';
import type { Difficulty } from './pose.ts';
import type { Random } from './random.ts';
import { path, rect, shade } from './svg.ts';
import { bale, blot, bucket, dog, person, tarpaulin } from './distractors.ts';

/** Scenes are drawn at this size; SVG scales them to the frame's. */
export const canvasWidth = 640;
export const canvasHeight = 480;

export type Scene = {
  readonly behind: string;
  readonly inFront: string;
  /** Where the ground begins, in canvas pixels from the top. */
  readonly horizon: number;
};

/** `thingsMin` and `thingsMax` bound how many other things stand behind. */
export function sceneOf(
  random: Random,
  difficulty: Difficulty,
  thingsMin: number,
  thingsMax: number,
): Scene {
  const horizon = random.between(0.5, 0.72) * canvasHeight;
  const backdrop = random.pick([barn, barn, wall, yard])(random, horizon);
  const ground = groundOf(random, horizon);
  let things = '';
  const count = random.integer(thingsMin, thingsMax);
  for (let i = 0; i < count; i++) {
    const foot = random.between(horizon + 15, canvasHeight - 15);
    const draw = random.pick([person, dog, dog, bale, bucket, tarpaulin, blot, blot]);
    things += draw(random, random.between(30, canvasWidth - 30), foot);
  }
  return { behind: backdrop + ground + things, inFront: barriers(random, difficulty), horizon };
}

function barn(random: Random, horizon: number): string {
  const hue = random.integer(18, 38);
  const light = random.integer(26, 58);
  let svg = rect(0, 0, canvasWidth, horizon, `hsl(${hue},30%,${light}%)`);
  const plank = random.between(26, 64);
  for (let x = -random.between(0, plank); x < canvasWidth; x += plank) {
    const lightness = light + random.integer(-5, 5);
    svg += rect(x, 0, plank - 2, horizon, `hsl(${hue},${random.integer(18, 34)}%,${lightness}%)`);
  }
  return svg + windows(random, horizon);
}

function wall(random: Random, horizon: number): string {
  const light = random.integer(45, 82);
  const dado = horizon * random.between(0.45, 0.7);
  return (
    rect(0, 0, canvasWidth, horizon, `hsl(${random.integer(30, 220)},8%,${light}%)`) +
    rect(
      0,
      dado,
      canvasWidth,
      horizon - dado,
      `hsl(${random.integer(20, 200)},9%,${light - 14}%)`,
    ) +
    windows(random, horizon)
  );
}

function yard(random: Random, horizon: number): string {
  const sky = shade(random, [195, 218], [20, 60], [68, 88]);
  const wood = shade(random, [85, 140], [18, 34], [22, 36]);
  const edge = horizon * random.between(0.55, 0.85);
  let svg =
    rect(0, 0, canvasWidth, horizon, sky) + rect(0, edge, canvasWidth, horizon - edge, wood);
  for (let x = 0; x < canvasWidth; x += random.between(50, 120)) {
    svg += path(
      smoothPath(blob(random, [x, edge], random.between(30, 60), random.between(14, 40))),
      wood,
    );
  }
  const board = shade(random, [25, 40], [22, 22], [38, 68]);
  for (let x = random.between(0, 60); x < canvasWidth; x += 92) {
    svg += rect(x, horizon - 74, 9, 80, board);
  }
  return (
    svg +
    rect(0, horizon - 66, canvasWidth, 8, board) +
    rect(0, horizon - 36, canvasWidth, 8, board)
  );
}

function windows(random: Random, horizon: number): string {
  let svg = '';
  const count = random.integer(0, 3);
  for (let i = 0; i < count; i++) {
    const width = random.between(45, 95);
    const x = random.between(0, canvasWidth - width);
    const y = random.between(10, horizon * 0.3);
    const height = random.between(35, 75);
    svg += rect(x - 4, y - 4, width + 8, height + 8, '#4b4038');
    svg += rect(x, y, width, height, shade(random, [205, 205], [40, 40], [62, 92]));
    svg += rect(x + width / 2 - 2, y, 4, height, '#4b4038');
  }
  return svg;
}

function groundOf(random: Random, horizon: number): string {
  const hue = random.pick([36, 40, 46, 32, 95]);
  const light = random.integer(34, 64);
  const depth = canvasHeight - horizon;
  let svg = rect(
    0,
    horizon,
    canvasWidth,
    depth,
    `hsl(${hue},${random.integer(16, 38)}%,${light}%)`,
  );
  let straws = '';
  for (let i = 0; i < 46; i++) {
    const x = random.between(0, canvasWidth);
    const y = random.between(horizon + 4, canvasHeight);
    const [dx, dy] = [random.integer(-22, 22), random.integer(-5, 5)];
    straws += `M${x.toFixed(0)} ${y.toFixed(0)}l${dx} ${dy}`;
  }
  const straw = `hsl(${hue + 6},45%,${Math.min(82, light + random.integer(6, 18))}%)`;
  svg += `<path d="${straws}" stroke="${straw}" stroke-width="2" stroke-opacity=".7"/>`;
  return svg;
}

/** Rails and posts between camera and cow; a hard frame has more and thicker ones. */
function barriers(random: Random, difficulty: Difficulty): string {
  const isHard = difficulty === 'hard';
  const steel = shade(random, [20, 220], [6, 6], [30, 78]);
  let svg = '';
  const rails = isHard ? random.integer(1, 3) : random.integer(0, 2);
  for (let i = 0; i < rails; i++) {
    const thickness = isHard ? random.between(6, 17) : random.between(5, 12);
    const y = random.between(0.25, 0.97) * canvasHeight;
    const tilt = random.between(-8, 8);
    svg += `<path d="M0 ${y.toFixed(1)}L${canvasWidth} ${(y + tilt).toFixed(1)}" `;
    svg += `stroke="${steel}" `;
    svg += `stroke-width="${thickness.toFixed(1)}"/>`;
    svg += `<path d="M0 ${(y - thickness / 4).toFixed(1)}l${canvasWidth} ${tilt.toFixed(1)}" `;
    svg += `stroke="#fff" stroke-opacity=".25" stroke-width="${(thickness / 4).toFixed(1)}"/>`;
  }
  const posts = isHard ? random.integer(0, 2) : random.integer(0, 1);
  for (let i = 0; i < posts; i++) {
    const thickness = isHard ? random.between(7, 19) : random.between(6, 13);
    svg += rect(
      random.between(0, canvasWidth),
      canvasHeight * 0.2,
      thickness,
      canvasHeight * 0.8,
      steel,
    );
  }
  return svg;
}
