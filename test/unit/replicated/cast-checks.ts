/** What has to hold of the traces of a cast world. Each check returns what is wrong, or null. */
import type { CastOrder } from '../../../platform/replicated/cast-messages.ts';
import type { CastWorld, Process } from './cast-world.ts';

/** One view of one process: what it delivered there, and how it came into the next. */
interface Stay {
  readonly view: number;
  readonly members: readonly number[];
  readonly delivered: string[];
  readonly sent: { readonly name: string; readonly order: CastOrder; readonly after: number }[];
  next: { readonly view: number; readonly continuous: boolean } | null;
}

function staysOf({ trace }: Process): Stay[] {
  const stays: Stay[] = [];
  for (const event of trace) {
    const stay = stays.at(-1);
    if (event.type === 'view') {
      if (stay !== undefined) stay.next = { view: event.number, continuous: event.continuous };
      const { number: view, members } = event;
      stays.push({ view, members, delivered: [], sent: [], next: null });
    } else if (event.type === 'delivered') {
      stay?.delivered.push(event.name);
    } else if (event.type === 'sent') {
      const after = stay?.delivered.length ?? 0;
      stay?.sent.push({ name: event.name, order: event.order, after });
    }
  }
  return stays;
}

interface Sent {
  readonly view: number;
  readonly order: CastOrder;
  /** Casts that its sender had delivered in the view before it. */
  readonly seen: readonly string[];
}

function allSent(world: CastWorld): Map<string, Sent> {
  const found = new Map<string, Sent>();
  for (const process of world.processes) {
    for (const { view, sent, delivered } of staysOf(process)) {
      for (const { name, order, after } of sent) {
        found.set(name, { view, order, seen: delivered.slice(0, after) });
      }
    }
  }
  return found;
}

function everyStay(world: CastWorld, check: (stay: Stay, who: string) => string | null) {
  for (const process of world.processes) {
    for (const stay of staysOf(process)) {
      const who = `${String(process.node)}.${String(process.run)} in view ${String(stay.view)}`;
      const wrong = check(stay, who);
      if (wrong !== null) return wrong;
    }
  }
  return null;
}

/** Nothing twice, nothing that nobody sent, nothing in another view than it was sent in. */
export function checkOnce(world: CastWorld): string | null {
  const sent = allSent(world);
  return everyStay(world, ({ view, delivered }, who) => {
    const twice = delivered.find((name, nth) => delivered.indexOf(name) !== nth);
    if (twice !== undefined) return `${who} delivered ${twice} twice`;
    const strange = delivered.find((name) => sent.get(name)?.view !== view);
    return strange === undefined ? null : `${who} delivered ${strange}, not sent in this view`;
  });
}

/** fbcasts of a sender as it sent them, without a gap. */
export function checkFifo(world: CastWorld): string | null {
  const sent = allSent(world);
  const before = new Map<string, string[]>();
  for (const process of world.processes) {
    for (const stay of staysOf(process)) {
      const names = stay.sent.flatMap(({ name, order }) => (order === 'fbcast' ? [name] : []));
      names.forEach((name, nth) => before.set(name, names.slice(0, nth)));
    }
  }
  return everyStay(world, ({ delivered }, who) => {
    const seen = new Set<string>();
    for (const name of delivered) {
      const missing = (before.get(name) ?? []).find((earlier) => !seen.has(earlier));
      if (sent.get(name)?.order === 'fbcast' && missing !== undefined) {
        return `${who} delivered ${name} before ${missing}`;
      }
      seen.add(name);
    }
    return null;
  });
}

/** No cbcast before a cbcast that its sender had delivered. Knows nothing of vector timestamps. */
export function checkCausal(world: CastWorld): string | null {
  const sent = allSent(world);
  const isCausal = (name: string): boolean => sent.get(name)?.order === 'cbcast';
  return everyStay(world, ({ delivered }, who) => {
    const seen = new Set<string>();
    for (const name of delivered) {
      const cause = sent.get(name)?.seen.find((one) => isCausal(one) && !seen.has(one));
      if (isCausal(name) && cause !== undefined) {
        return `${who} delivered ${name} before ${cause}, which caused it`;
      }
      seen.add(name);
    }
    return null;
  });
}

/** Who goes on from one view to the same next one delivered the same in it. */
export function checkSynchrony(world: CastWorld): string | null {
  const ends = new Map<string, { readonly who: string; readonly delivered: string }>();
  return everyStay(world, ({ view, delivered, next }, who) => {
    if (next?.continuous !== true) return null;
    const name = `${String(view)} to ${String(next.view)}`;
    const mine = { who, delivered: [...delivered].sort().join(' ') };
    const other = ends.get(name) ?? mine;
    ends.set(name, other);
    return other.delivered === mine.delivered
      ? null
      : `${who} and ${other.who} go on to ${String(next.view)} with other casts`;
  });
}

/** Views that a process reaches from one of its views without a break. */
function reachedFrom(stays: readonly Stay[], at: number): number[] {
  const reached: number[] = [];
  for (const { next } of stays.slice(at)) {
    if (next?.continuous !== true) break;
    reached.push(next.view);
  }
  return reached;
}

/**
 * Who parts from another after a view is not with it again without a break: the others took it for
 * failed, or it them.
 */
export function checkViews(world: CastWorld): string | null {
  const paths = new Map<number, number[][]>();
  for (const process of world.processes) {
    const stays = staysOf(process);
    for (const [at, { view }] of stays.entries()) {
      const path = reachedFrom(stays, at);
      const others = paths.get(view) ?? [];
      const parted = others.find(
        (other) => other[0] !== path[0] && other.some((later) => path.includes(later)),
      );
      if (parted !== undefined) {
        return `from view ${String(view)} by ${path.join()} and by ${parted.join()}`;
      }
      paths.set(view, [...others, path]);
    }
  }
  return null;
}

/** Who was in every view from one to another came there without a break. */
export function checkContinuity(world: CastWorld): string | null {
  for (const process of world.processes) {
    for (const { view, next } of staysOf(process)) {
      const between = world.views.slice(view, next?.view ?? view);
      const wasOut = between.some(({ members }) => !members.includes(process.node));
      if (next?.continuous === false && !wasOut) {
        return `${String(process.node)} came from ${String(view)} to ${String(next.view)} with a break`;
      }
    }
  }
  return null;
}

/** Everything is at rest: the last view everywhere, what was sent in it, and every flush. */
export function checkRest(world: CastWorld): string | null {
  const last = world.views.at(-1)?.number;
  const stays = world.up.map((process) => staysOf(process).at(-1));
  if (stays.some((stay) => stay?.view !== last)) return 'somebody is not in the last view';
  const [first = []] = stays.map((stay) => [...(stay?.delivered ?? [])].sort());
  const differs = stays.some((stay) => [...(stay?.delivered ?? [])].sort().join() !== first.join());
  if (differs) return 'a cast of the last view did not reach all';
  const open = world.up.some(({ flushes }) => flushes.size > 0);
  return open ? 'a flush was not answered' : null;
}

/**
 * At the moment: whoever is in the flusher's view, and was with it, has delivered all of `names`.
 */
export function flushProblem(world: CastWorld, process: Process, names: readonly string[]) {
  const now = staysOf(process).at(-1);
  const mine = staysOf(process);
  for (const other of world.up) {
    if (now?.members.includes(other.node) !== true) continue;
    for (const stay of staysOf(other)) {
      const own = mine.find(({ view }) => view === stay.view);
      const isTogether = !own?.next || !stay.next || own.next.view === stay.next.view;
      // Who was left out in between is not one that goes on.
      if (own === undefined || stay.next?.continuous === false || !isTogether) continue;
      const wanted = own.sent.flatMap(({ name }) => (names.includes(name) ? [name] : []));
      const missing = wanted.find((name) => !stay.delivered.includes(name));
      if (missing !== undefined) return `${missing} was flushed, but not delivered everywhere`;
    }
  }
  return null;
}
