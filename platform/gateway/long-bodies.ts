import { FreshetError, limits } from '../base/mod.ts';
import { gatewayLimits } from './gateway-limits.ts';

/** How much of long values is on its way in at a door. Whoever has room gives it back once. */
export class LongBodies {
  #bytes = 0;

  /** Throws VALUE_TOO_LARGE: no pool takes it; OVERLOADED: too many are under way. */
  take(bytes: number): void {
    if (bytes > limits.valueBytesMax) {
      const most = String(limits.valueBytesMax);
      const text = `The value has ${String(bytes)} bytes; no pool takes over ${most}`;
      throw new FreshetError('VALUE_TOO_LARGE', text);
    }
    if (this.#bytes + bytes > gatewayLimits.longBodyBytes) {
      const text = `Long values of ${String(this.#bytes)} bytes are on their way in already`;
      throw new FreshetError('OVERLOADED', text, { mend: 'Put long values one after the other' });
    }
    this.#bytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}
