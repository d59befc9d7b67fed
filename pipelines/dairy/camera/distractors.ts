/** Things that are no cow: each stands with its foot at (x, y) of the canvas. */
import { blob, polygonPath, smoothPath } from './geometry.ts';
import type { Point } from './geometry.ts';
import type { Random } from './random.ts';
import { path, shade } from './svg.ts';

export function person(random: Random, x: number, y: number): string {
  const size = random.between(0.75, 1.45);
  const at = (dx: number, dy: number): Point => [x + dx * size, y - dy * size];
  const clothes = shade(random, [0, 360], [15, 55], [20, 55]);
  const trousers = shade(random, [200, 240], [25, 25], [14, 36]);
  const skin = shade(random, [24, 24], [40, 40], [32, 76]);
  const body = [at(-22, 135), at(-12, 150), at(12, 150), at(22, 135), at(18, 72), at(-18, 72)];
  const left = [at(-17, 74), at(-1, 74), at(-5, 4), at(-20, 4)];
  const right = [at(1, 74), at(17, 74), at(20, 4), at(6, 4)];
  const boots = [
    at(-24, 12),
    at(-3, 12),
    at(-3, 0),
    at(-24, 0),
    at(3, 0),
    at(3, 12),
    at(24, 12),
    at(24, 0),
  ];
  const [headX, headY] = at(0, 167);
  return (
    path(polygonPath(left), trousers) +
    path(polygonPath(right), trousers) +
    path(polygonPath(boots), '#20231f') +
    path(smoothPath(body), clothes) +
    `<circle cx="${headX.toFixed(1)}" cy="${headY.toFixed(1)}" ` +
    `r="${(15 * size).toFixed(1)}" fill="${skin}"/>`
  );
}

/** Half of the dogs are spotted: spots alone are no cow. */
export function dog(random: Random, x: number, y: number): string {
  const size = random.between(0.5, 1);
  const facing = random.pick([-1, 1]);
  const at = (dx: number, dy: number): Point => [x + dx * size * facing, y - dy * size];
  const coat = shade(random, [18, 42], [0, 40], [10, 88]);
  const trunk = [
    at(-55, 78),
    at(-20, 82),
    at(30, 84),
    at(50, 66),
    at(42, 46),
    at(-10, 44),
    at(-52, 50),
  ];
  const head = [at(44, 92), at(62, 108), at(84, 94), at(92, 82), at(74, 76), at(50, 72)];
  const ear = [at(50, 102), at(60, 108), at(54, 84)];
  let svg = '';
  for (const dx of [-48, -36, 26, 38]) {
    svg += path(polygonPath([at(dx, 55), at(dx + 10, 55), at(dx + 8, 0), at(dx, 0)]), coat);
  }
  svg += path(smoothPath([at(-52, 74), at(-86, 100), at(-82, 104), at(-50, 80)]), coat);
  svg +=
    path(smoothPath(trunk), coat) + path(smoothPath(head), coat) + path(smoothPath(ear), '#2a2320');
  if (!random.chance(0.5)) return svg;
  const spot = random.pick(['#1e1b1a', '#efe9dd']);
  for (let i = 0; i < 3; i++) {
    const centre = at(random.between(-40, 34), random.between(56, 74));
    svg += path(smoothPath(blob(random, centre, 13 * size, 9 * size)), spot);
  }
  return svg;
}

export function bale(random: Random, x: number, y: number): string {
  const radius = random.between(38, 82);
  const straw = shade(random, [40, 50], [35, 55], [44, 66]);
  const ring = 'fill="none" stroke="#7b6428" stroke-opacity=".5" stroke-width="2"';
  const place = `cx="${x.toFixed(1)}" cy="${(y - radius).toFixed(1)}"`;
  return (
    `<circle ${place} r="${radius.toFixed(1)}" fill="${straw}"/>` +
    `<circle ${place} r="${(radius * 0.7).toFixed(1)}" ${ring}/>` +
    `<circle ${place} r="${(radius * 0.4).toFixed(1)}" ${ring}/>`
  );
}

export function bucket(random: Random, x: number, y: number): string {
  const size = random.between(0.8, 1.7);
  const at = (dx: number, dy: number): Point => [x + dx * size, y - dy * size];
  const colour = shade(random, [0, 360], [5, 70], [25, 70]);
  return path(polygonPath([at(-16, 34), at(16, 34), at(12, 0), at(-12, 0)]), colour);
}

/** A sheet with spots like a coat's, hung up or thrown over something. */
export function tarpaulin(random: Random, x: number, y: number): string {
  const width = random.between(70, 170);
  const height = random.between(60, 130);
  const sheet: Point[] = [
    [x - width, y - height],
    [x, y - height - 12],
    [x + width, y - height + 8],
    [x + width * 0.94, y],
    [x, y - 8],
    [x - width * 0.92, y],
  ];
  const isDark = random.chance(0.5);
  let svg = path(smoothPath(sheet), isDark ? '#26231f' : '#dcd6c8');
  const spots = random.integer(0, 5);
  for (let i = 0; i < spots; i++) {
    const centre: Point = [
      x + random.between(-0.7, 0.7) * width,
      y - random.between(0.2, 0.8) * height,
    ];
    const spot = blob(random, centre, random.between(10, 30), random.between(10, 24));
    svg += path(smoothPath(spot), isDark ? '#dcd6c8' : '#26231f');
  }
  return svg;
}

/** A shapeless heap or shadow, sometimes as large as a cow. */
export function blot(random: Random, x: number, y: number): string {
  const rx = random.between(30, 170);
  const ry = random.between(18, 90);
  const colour = shade(random, [20, 60], [0, 25], [8, 85]);
  return path(smoothPath(blob(random, [x, y - ry], rx, ry)), colour);
}
