import type { RowResult } from '../run-rows.ts';

/** What an enclosed process measures. */
export interface EnclosedOrder {
  readonly row: string;
  readonly runs: number;
  readonly quick: boolean;
}

export type EnclosedReport =
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'measured'; readonly result: RowResult };
