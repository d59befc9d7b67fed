import { type CancelTimer, type Clock, type Micros, micros } from '../../platform/base/mod.ts';
import { FreshetError } from '../../platform/base/mod.ts';
import type { RecordFiles } from '../../platform/group/record-files.ts';
import type { WorldAddon } from './world-addon.ts';

/** What a process waits for: timers and files, by the number under which it is told of them. */
export class Waits {
  readonly #waits = new Map<number, (value: number) => void>();
  #next = 1;
  alive = true;

  add(run: (value: number) => void): number {
    const id = this.#next++;
    this.#waits.set(id, run);
    return id;
  }

  drop(id: number): boolean {
    return this.#waits.delete(id);
  }

  /** One that was given up meanwhile is nothing. */
  end(id: number, value: number): void {
    const run = this.#waits.get(id);
    this.#waits.delete(id);
    run?.(value);
  }
}

/** The clocks of a node of the world. */
export class WorldClock implements Clock {
  readonly #addon: WorldAddon;
  readonly #node: number;
  readonly #waits: Waits;
  #startUs: number;
  #startMs: number;

  constructor(addon: WorldAddon, node: number, waits: Waits) {
    this.#addon = addon;
    this.#node = node;
    this.#waits = waits;
    this.#startUs = addon.wallOf(node);
    this.#startMs = addon.timeOf(node);
  }

  wallUs(): Micros {
    return micros(Math.floor(this.#startUs + (this.monotonicMs() - this.#startMs) * 1000));
  }

  monotonicMs(): number {
    return this.#addon.timeOf(this.#node);
  }

  wallStepUs(): number {
    return Math.round(this.#addon.wallOf(this.#node) - this.wallUs());
  }

  readAgain(): void {
    this.#startUs = this.#addon.wallOf(this.#node);
    this.#startMs = this.#addon.timeOf(this.#node);
  }

  after(delayMs: number, run: () => void): CancelTimer {
    if (!this.#waits.alive) return () => false;
    const id = this.#waits.add(run);
    this.#addon.after(this.#node, delayMs, id);
    return () => this.#waits.drop(id);
  }
}

/** The view records of a node, on its simulated disk. `forgets`, a canary: none is written. */
export function worldFiles(
  addon: WorldAddon,
  node: number,
  waits: Waits,
  forgets: boolean,
): RecordFiles {
  return {
    folder: `data-${String(node)}`,
    read: (name) =>
      new Promise((resolve) => {
        if (!waits.alive) return;
        const id = waits.add(() => {
          resolve(bytes);
        });
        const bytes = addon.readFile(node, name, id);
      }),
    replace: (name, bytes) =>
      new Promise((resolve, reject) => {
        if (!waits.alive) return;
        const id = waits.add((status) => {
          if (status === 0) resolve();
          else reject(new FreshetError('DISK_FAILED', `${name} cannot be written`));
        });
        addon.replaceFile(node, forgets ? `${name}.forgotten` : name, bytes, id);
      }),
  };
}
