/** Random rounds of faults, as lines of a scenario: what is done, what goes on, what undoes it. */
import type { Random } from '../../platform/base/mod.ts';

/** Some members of a cluster, drawn. */
interface Cast {
  readonly random: Random;
  readonly one: number;
  readonly other: number;
  /** All but `one`. */
  readonly rest: readonly number[];
  /** Too many for the rest to go on without them. */
  readonly many: readonly number[];
  readonly all: readonly number[];
}

type Round = (cast: Cast) => readonly string[];

const some = 100;
/** MiB that a member refuses changes below, and what is enough. */
export const diskMiB = { enough: 1500, tooLittle: 200 };

const waitS = ({ random }: Cast, most: number): string =>
  `wait ${String(Math.ceil(random.float() * most * 10) / 10)}s`;
const list = (ids: readonly number[]): string => ids.join(' ');

/** By name; each leaves no fault behind. */
const rounds: Readonly<Record<string, Round>> = {
  'kill one': (cast) => [
    `kill ${cast.one}`,
    `view ${list(cast.rest)}`,
    `progress ${some}`,
    `start ${cast.one}`,
  ],
  'kill one, which is back at once': ({ one }) => [`kill ${one}`, `start ${one}`],
  'kill the leader': () => ['kill leader', `progress ${some}`, 'start down'],
  'kill too many': (cast) => [
    `kill ${list(cast.many)}`,
    waitS(cast, 3),
    `start ${list(cast.many)}`,
  ],
  'kill all': (cast) => ['kill all', waitS(cast, 1), 'start all'],
  'stop one': (cast) => [
    `stop ${cast.one}`,
    `view ${list(cast.rest)}`,
    `progress ${some}`,
    `continue ${cast.one}`,
  ],
  'stop one for a moment': (cast) => [`stop ${cast.one}`, waitS(cast, 1.5), `continue ${cast.one}`],
  'stop too many': (cast) => [
    `stop ${list(cast.many)}`,
    waitS(cast, 4),
    `continue ${list(cast.many)}`,
  ],
  'cut one off': (cast) => [
    `cut ${cast.one} | ${list(cast.rest)}`,
    `view ${list(cast.rest)}`,
    `progress ${some}`,
    waitS(cast, 3),
    'heal',
  ],
  'cut one off for a moment': (cast) => [
    `cut ${cast.one} | ${list(cast.rest)}`,
    waitS(cast, 1.5),
    'heal',
  ],
  'cut two from each other': (cast) => [
    `cut ${cast.one} | ${cast.other}`,
    waitS(cast, 2),
    `progress ${some}`,
    'heal',
  ],
  'cut all from each other': (cast) => [
    ...cast.all.slice(1).map((id) => `cut ${id} | ${list(cast.all.filter((to) => to < id))}`),
    waitS(cast, 3),
    'heal',
  ],
  'cut what one says': (cast) => [
    `cut ${cast.one} -> ${list(cast.rest)}`,
    `progress ${some}`,
    waitS(cast, 2),
    'heal',
  ],
  'cut what one hears': (cast) => [
    ...cast.rest.map((id) => `cut ${id} -> ${cast.one}`),
    `progress ${some}`,
    waitS(cast, 2),
    'heal',
  ],
  'cut one direction of two': (cast) => [
    `cut ${cast.one} -> ${cast.other}`,
    waitS(cast, 2),
    `progress ${some}`,
    'heal',
  ],
  'slow one down': (cast) => [
    `delay ${cast.one} ${String(10 + cast.random.below(190))}ms`,
    `progress ${some}`,
    waitS(cast, 2),
    'heal',
  ],
  'lose frames of one': (cast) => [
    `lose ${cast.one} ${String(1 + cast.random.below(5))}%`,
    `progress ${some}`,
    waitS(cast, 2),
    'heal',
  ],
  'fill the disk of one': (cast) => [
    `leave ${cast.one} ${String(diskMiB.tooLittle)}MiB`,
    `put-refused ${cast.other} DISK_FULL`,
    `leave ${cast.one} ${String(diskMiB.enough)}MiB`,
  ],
  'leave nothing of the disk of one': (cast) => [
    `leave ${cast.one} 0MiB`,
    waitS(cast, 3),
    `kill ${cast.one}`,
    `leave ${cast.one} ${String(diskMiB.enough)}MiB`,
    `start ${cast.one}`,
  ],
  'stop all event loops and kill one': (cast) => [
    `stall-and-kill ${cast.one}`,
    `progress ${some}`,
    `start ${cast.one}`,
  ],
  'kill one while another is stopped': (cast) => [
    `stop ${cast.other}`,
    `kill ${cast.one}`,
    waitS(cast, 3),
    `continue ${cast.other}`,
    `start ${cast.one}`,
  ],
  'kill one that is cut off': (cast) => [
    `cut ${cast.one} | ${list(cast.rest)}`,
    waitS(cast, 2),
    `kill ${cast.one}`,
    waitS(cast, 2),
    `start ${cast.one}`,
    'heal',
  ],
  'cut one off while another comes back': (cast) => [
    `kill ${cast.one}`,
    `start ${cast.one}`,
    `cut ${cast.other} | ${list(cast.all.filter((id) => id !== cast.other))}`,
    waitS(cast, 2),
    'heal',
  ],
};

export const roundNames: readonly string[] = Object.keys(rounds);

/** The lines of a round by name, with members drawn. */
export function drawRound(name: string, all: readonly number[], random: Random): readonly string[] {
  const shuffled = random.shuffled(all);
  const [one, other] = shuffled as [number, number];
  const many = shuffled.slice(0, Math.ceil(all.length / 2)).sort();
  const rest = all.filter((id) => id !== one);
  const round = rounds[name];
  if (round === undefined) throw new Error(`No round is called ${name}`);
  return [...round({ random, one, other, rest, many, all }), 'view all', `progress ${some}`];
}
