import { FreshetError, limits } from '../base/mod.ts';
import { gatewayLimits } from './gateway-limits.ts';

/** How much of long values is on its way at a door. Whoever has room gives it back once. */
export class LongBodies {
  readonly #way: 'in' | 'out';
  readonly #most: number;
  #bytes = 0;

  constructor(way: 'in' | 'out', most: number = gatewayLimits.longBodyBytes) {
    this.#way = way;
    this.#most = most;
  }

  /** Throws VALUE_TOO_LARGE: no pool takes it; OVERLOADED: too many are under way. */
  take(bytes: number): void {
    if (bytes > limits.valueBytesMax) {
      const most = String(limits.valueBytesMax);
      const text = `The value has ${String(bytes)} bytes; no pool takes over ${most}`;
      throw new FreshetError('VALUE_TOO_LARGE', text);
    }
    if (this.#bytes + bytes > this.#most) {
      const under = `Long values of ${String(this.#bytes)} bytes are`;
      const does = this.#way === 'in' ? 'Put' : 'Get';
      throw new FreshetError('OVERLOADED', `${under} on their way ${this.#way} already`, {
        mend: `${does} long values one after the other`,
      });
    }
    this.#bytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}
