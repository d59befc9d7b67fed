/** How members reach each other; with `fabric/` over libfabric, and which provider of it. */
export const transportKinds = {
  tcp: 0,
  'fabric/verbs': 1,
  'fabric/tcp': 2,
  'fabric/shm': 3,
} as const;
export type TransportName = keyof typeof transportKinds;
export const transportNames = Object.freeze(
  Object.keys(transportKinds),
) as readonly TransportName[];
export type TransportKind = (typeof transportKinds)[TransportName];

/** What this machine has for one of the `fabric/` transports. */
export interface FabricReport {
  readonly compiled: boolean; // libfabric's headers were there when the addon was built
  readonly library: string; // its version; empty: not found
  readonly status: number; // that a member would be refused with, as of a call
  readonly domain: string; // the device or interface
  readonly ordered: boolean; // write-after-write order
  readonly pins: boolean; // needs memory locked in place
  readonly memlock: number; // bytes of it that there may be; Infinity: any
}
