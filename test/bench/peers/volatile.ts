/** Volatile pools, for the peers' driver. */
import { makeAdapter, type PeerSystem } from './freshet-adapter.ts';

export function make(options: { readonly base: string }): PeerSystem {
  return makeAdapter('volatile', options);
}
