import { FreshetError } from '../base/mod.ts';
import { gatewayLimits } from './gateway-limits.ts';

const leastBytes = gatewayLimits.longLeastBytes;

/** A long value on its way, which is given up once it moves too slowly. */
export class Movement {
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  #isOver = false;

  /** `giveUp` is called, with TIMEOUT, when the next `longLeastBytes` do not move in `idleMs`. */
  constructor(idleMs: number, giveUp: (error: FreshetError) => void) {
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      const text = `Less than ${String(leastBytes)} bytes of the value moved`;
      const mend = 'Send or read a long value without long pauses';
      giveUp(new FreshetError('TIMEOUT', `${text} within ${String(idleMs)} ms`, { mend }));
    }, idleMs);
  }

  moved(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isOver || this.#bytes < leastBytes) return;
    this.#bytes = 0;
    this.#timer.refresh();
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
