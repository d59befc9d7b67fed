import { clockColumns, clockWidth } from '../bridge/mod.ts';
import type { MemberCore } from './member-core.ts';

/** The clocks of the native side, µs since 1970; see `clockColumns` of the bridge. */
export interface ClockReading {
  /** What this member goes by. */
  readonly wallUs: number;
  readonly machineUs: number;
  readonly newestUs: number;
}

export class MemberClock {
  readonly #core: MemberCore;
  readonly #out = new Float64Array(clockWidth);

  constructor(core: MemberCore) {
    this.#core = core;
  }

  /** Null: the member is closed. */
  read(): ClockReading | null {
    const status = this.#core.addon.clocks(this.#core.handle, this.#out);
    if (status < 0) return null;
    return {
      wallUs: this.#out[clockColumns.wall] ?? 0,
      machineUs: this.#out[clockColumns.machine] ?? 0,
      newestUs: this.#out[clockColumns.newest] ?? 0,
    };
  }

  /** See `shiftClock` of the bridge. */
  shift(byUs: number, anew: boolean): void {
    this.#core.addon.shiftClock(this.#core.handle, byUs, anew);
  }
}
