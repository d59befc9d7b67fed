/**
 * A channel of two to five members from a seed: a network that delays, reorders and repeats,
 * members that crash and come back, views that leave out who is well, and that some members never
 * hear of.
 */
import { SeededRandom } from '../../../platform/base/mod.ts';
import {
  type CastEffect,
  CastMachine,
  type CastView,
} from '../../../platform/replicated/cast-machine.ts';
import type { CastMessage, CastOrder } from '../../../platform/replicated/cast-messages.ts';
import type { CausalRule } from '../../../platform/replicated/view-casts.ts';

export interface Faults {
  readonly causal?: CausalRule;
  /** What the network makes of a message. */
  readonly spoil?: (message: CastMessage) => CastMessage;
}

/** What happened at one process, in its order. */
export type TraceEvent =
  | { readonly type: 'sent'; readonly name: string; readonly order: CastOrder }
  | { readonly type: 'delivered'; readonly name: string }
  | {
      readonly type: 'view';
      readonly number: number;
      readonly members: readonly number[];
      readonly continuous: boolean;
    }
  | { readonly type: 'flushed'; readonly names: readonly string[]; readonly at: number };

export interface Process {
  readonly node: number;
  /** A member that came back is another process. */
  readonly run: number;
  readonly machine: CastMachine;
  readonly trace: TraceEvent[];
  readonly flushes: Map<number, readonly string[]>;
  isUp: boolean;
}

interface Flying {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
}

export class CastWorld {
  readonly processes: Process[] = [];
  readonly views: CastView[] = [];
  readonly #random: SeededRandom;
  readonly #faults: Faults;
  readonly #heap: Flying[] = [];
  #newest: readonly Process[] = [];
  #now = 0;
  #events = 0;
  #names = 0;
  #slowest = 40;

  constructor(seed: number, faults: Faults = {}) {
    this.#random = new SeededRandom(seed);
    this.#faults = faults;
  }

  get up(): readonly Process[] {
    return this.processes.filter(({ isUp }) => isUp);
  }

  /** A run with faults, then a time without until everything has come to rest. */
  run(): void {
    const nodes = Array.from({ length: 2 + this.#random.below(4) }, (_, nth) => nth + 1);
    nodes.forEach((node) => this.#start(node));
    this.#announce(nodes);
    for (let step = 0; step < 400; step++) {
      this.#act(nodes);
      this.#pass(5);
    }
    for (const node of nodes) {
      if (this.#processOf(node) === null) this.#start(node);
    }
    this.#slowest = 5;
    this.#announce(nodes, true);
    for (let step = 0; step < 100; step++) {
      if (step < 20) this.#castSome();
      this.#pass(10);
    }
    for (const process of this.up) this.#flush(process);
    for (let step = 0; step < 100; step++) this.#pass(10);
  }

  #act(nodes: readonly number[]): void {
    const random = this.#random;
    if (random.chance(0.6)) this.#castSome();
    if (random.chance(0.05) && this.up.length > 0) this.#flush(random.pick(this.up));
    if (!random.chance(0.03)) return;
    const node = random.pick(nodes);
    const process = this.#processOf(node);
    if (process === null) {
      this.#start(node);
    } else if (random.chance(0.6) && this.#isMajority(this.up.filter((one) => one !== process))) {
      process.isUp = false;
    }
    // Sometimes the next view comes at once, sometimes one or two come with it.
    for (let more = 1 + random.below(3); more > 0; more--) {
      const here = this.up.map((one) => one.node);
      const out = random.chance(0.2) && here.length > 2 ? random.pick(here) : 0;
      this.#announce(here.filter((one) => one !== out));
      if (random.chance(0.5)) this.#pass(random.below(30));
    }
  }

  #castSome(): void {
    if (this.up.length === 0) return;
    const process = this.#random.pick(this.up);
    for (let more = 1 + this.#random.below(3); more > 0; more--) {
      const name = `${String(process.node)}.${String(process.run)}.${String(++this.#names)}`;
      const order = this.#random.pick(['mcast', 'fbcast', 'cbcast', 'cbcast'] as const);
      // What is sent while a view is on its way is sent in that view: noted when it is delivered.
      this.#take(
        process,
        process.machine.cast(this.#names, order, Buffer.from(`${order} ${name}`)),
      );
    }
  }

  #flush(process: Process): void {
    const id = ++this.#names;
    const before = process.trace.flatMap((event) => (event.type === 'sent' ? [event.name] : []));
    process.flushes.set(id, before);
    this.#take(process, process.machine.flush(id, 0));
  }

  #start(node: number): void {
    const run = this.processes.filter((process) => process.node === node).length;
    const machine = new CastMachine(node, this.#faults.causal);
    const process: Process = { node, run, machine, trace: [], flushes: new Map(), isUp: true };
    this.processes.push(process);
    const tick = (): void => {
      if (!process.isUp) return;
      this.#take(process, machine.onTick());
      this.#after(10, tick);
    };
    tick();
  }

  /** Of the newest view: the group goes on with no fewer. */
  #isMajority(processes: readonly Process[]): boolean {
    const stay = processes.filter((process) => this.#newest.includes(process));
    return 2 * stay.length > this.#newest.length;
  }

  /** A view of the group; each member hears of it later, and maybe of the next one only. */
  #announce(members: readonly number[], toAll = false): void {
    const processes = members.flatMap((node) => this.#processOf(node) ?? []);
    if (this.views.length > 0 && !this.#isMajority(processes)) return;
    this.#newest = processes;
    const view = { number: this.views.length + 1, members };
    this.views.push(view);
    for (const node of members) {
      const process = this.#processOf(node);
      if (!toAll && this.#random.chance(0.2)) continue;
      this.#after(1 + this.#random.below(this.#slowest), () => {
        if (process?.isUp === true) this.#take(process, process.machine.onView(view));
      });
    }
  }

  #processOf(node: number): Process | null {
    return this.up.find((process) => process.node === node) ?? null;
  }

  #take(process: Process, effects: readonly CastEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'send':
          this.#send(process, effect.to, effect.message);
          break;
        case 'deliver': {
          const [order, name = ''] = Buffer.from(effect.cast.bytes).toString().split(' ');
          if (effect.cast.sender === process.node && name.startsWith(ownPrefix(process))) {
            process.trace.push({ type: 'sent', name, order: order as CastOrder });
          }
          process.trace.push({ type: 'delivered', name });
          break;
        }
        case 'view': {
          const { view, continuous } = effect;
          process.trace.push({ type: 'view', ...view, continuous });
          break;
        }
        case 'done': {
          const names = process.flushes.get(effect.operation);
          process.flushes.delete(effect.operation);
          if (names !== undefined) {
            process.trace.push({ type: 'flushed', names, at: this.#now });
            this.onFlushed(process, names);
          }
          break;
        }
        case 'lost':
          process.flushes.delete(effect.operation);
          break;
      }
    }
  }

  /** Looked at by a checker, at the moment. */
  onFlushed: (process: Process, names: readonly string[]) => void = () => undefined;

  #send(from: Process, to: number, message: CastMessage): void {
    const spoilt = this.#faults.spoil?.(message) ?? message;
    const random = this.#random;
    const copies = random.chance(0.1) ? 2 : 1;
    const target = this.#processOf(to);
    for (let copy = 0; copy < copies; copy++) {
      // A connection that was lost and made again delays what was on its way.
      const late = random.chance(0.03) ? 150 : 0;
      this.#after(1 + random.below(this.#slowest) + late, () => {
        // What a crashed member had sent may be lost.
        if (!from.isUp && random.chance(0.6)) return;
        if (target?.isUp === true) {
          this.#take(target, target.machine.onMessage(from.node, spoilt));
        }
      });
    }
  }

  #after(delay: number, run: () => void): void {
    this.#heap.push({ due: this.#now + delay, order: this.#events++, run });
  }

  #pass(time: number): void {
    const end = this.#now + time;
    for (;;) {
      const due = this.#heap.filter((one) => one.due <= end);
      const next = due.sort((a, b) => a.due - b.due || a.order - b.order)[0];
      if (next === undefined) break;
      this.#heap.splice(this.#heap.indexOf(next), 1);
      this.#now = next.due;
      next.run();
    }
    this.#now = end;
  }
}

function ownPrefix({ node, run }: Process): string {
  return `${String(node)}.${String(run)}.`;
}
