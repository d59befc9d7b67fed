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

/** Of the members that put large values. */
export const largeSubgroup = 'large';
