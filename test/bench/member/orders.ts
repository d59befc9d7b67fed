export interface PutsOneByOne {
  readonly prefix: string;
  readonly count: number;
  /** Puts before the counted ones. */
  readonly warmUp: number;
  /** Bytes of a value. */
  readonly size: number;
}

export interface PacedPuts {
  readonly prefix: string;
  readonly count: number;
  readonly perSecond: number;
}

export interface LocalGets {
  readonly prefix: string;
  /** Keys, each of which has one object. */
  readonly keys: number;
  /** Bytes of a value. */
  readonly size: number;
  /** Under way together. */
  readonly window: number;
  readonly milliseconds: number;
}

/** Gets a second. */
export interface GetRates {
  readonly local: number;
  readonly linearizable: number;
  /** Of the addon's own function, one by one. */
  readonly bare: number;
}

/** Of the members that put large values. */
export const largeSubgroup = 'large';
