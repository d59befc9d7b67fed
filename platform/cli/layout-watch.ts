/** How a command looks at a running cluster until what it asked of the layout is done. */
import type { TimeSource } from '../base/mod.ts';

export interface LayoutWatch {
  readonly clock: Pick<TimeSource, 'monotonicMs'>;
  readonly sleep: (delayMs: number) => Promise<unknown>;
  /** How it stands, when that changes. */
  readonly note: (text: string) => void;
  readonly waitMs: number;
}

/** Between two looks. */
export const pollMs = 500;
/** A request is forgotten when another member begins to lead: it is made until it is heard. */
export const askAgainMs = 3000;
