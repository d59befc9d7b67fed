import { FreshetError } from '../../../platform/base/mod.ts';
import { Replicated } from '../../../platform/replicated/mod.ts';

/** What the tests of this folder replicate. */
export class Counter extends Replicated {
  static readonly calls = {
    add: 'ordered',
    late: 'ordered',
    refuse: 'ordered',
    draw: 'ordered',
    total: 'p2p',
  } as const;
  #total = 0;

  add(by: number): number {
    this.#total += by;
    return this.#total;
  }

  async late(): Promise<number> {
    return Promise.resolve(1);
  }

  refuse(why: string): void {
    this.#total += 100;
    throw new FreshetError('CONDITION_FAILED', why);
  }

  draw(): readonly unknown[] {
    const { version, epoch, time, caller, random } = this.context;
    return [version, epoch, time, caller, random.u32(), random.u32()];
  }

  async total(): Promise<number> {
    return Promise.resolve(this.#total);
  }

  hidden(): number {
    return this.context.version;
  }

  override snapshot(): Uint8Array {
    return Buffer.from(String(this.#total));
  }

  override restore(bytes: Uint8Array): void {
    this.#total = Number(Buffer.from(bytes).toString());
  }
}
