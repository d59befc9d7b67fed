/** One subject of the bench: what it measures in one run, beside the raw block of the same run. */

export interface RawFigure {
  /** What was done, bare of Freshet, on the same machine in the same run. */
  readonly name: string;
  /** In the unit of the figure beside it. */
  readonly value: number;
}

/** One number of one run. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly raw: RawFigure | null;
}

/** What stays the same for all runs of a row. */
export interface RowContext {
  /** Absolute path of the repository. */
  readonly root: string;
  /** An empty folder of this row's own, removed after its last run. */
  readonly folder: string;
  /** Shorter and with fewer pictures: shows that everything runs, its figures are worth nothing. */
  readonly quick: boolean;
  /** Absolute path of the program core_bench, built before the first use. */
  readonly coreBench: () => Promise<string>;
  readonly say: (text: string) => void;
}

/** A row made ready: members started, pictures rendered. */
export interface OpenRow {
  /** Bounded in time by the row itself. */
  run(): Promise<readonly Figure[]>;
  close(): Promise<void>;
}

export interface Row {
  /** As `--only` takes it. */
  readonly name: string;
  /** How it is measured, in one or two sentences. */
  readonly method: string;
  /** Its members have hosts of their own, so it is opened in an enclosure. */
  readonly isEnclosed?: true;
  readonly open: (context: RowContext) => Promise<OpenRow>;
}

/** A row that needs nothing made ready. */
export function plainRow(
  name: string,
  method: string,
  run: (context: RowContext) => Promise<readonly Figure[]>,
): Row {
  return {
    name,
    method,
    open: (context) => {
      return Promise.resolve({ run: () => run(context), close: () => Promise.resolve() });
    },
  };
}
