import { loadAddon, type TransportName, transportKinds } from '../../platform/bridge/mod.ts';

/** Addresses of the guest's nodes, each with an RDMA device; none elsewhere. */
export const rdmaAddresses: readonly string[] = (process.env['RDMA_VM_NODES'] ?? '')
  .split(' ')
  .filter((address) => address !== '');

/** Where a member of this transport listens. */
export function hostOf(transport: TransportName, node: number): string {
  const address = transport === 'fabric/verbs' ? rdmaAddresses[node - 1] : undefined;
  return address ?? '127.0.0.1';
}

/**
 * Whether this machine has it, said on stderr where it has not. In the guest with RDMA devices
 * everything has to be there.
 */
export function hasTransport(transport: TransportName): boolean {
  if (transport === 'tcp' || rdmaAddresses.length > 0) return true;
  const addon = loadAddon();
  const kind = transportKinds[transport];
  const { status } = addon.inspectFabric(kind, hostOf(transport, 1));
  if (status === 0) return true;
  const why = addon.statusNames[Math.abs(status)] ?? String(status);
  process.stderr.write(`Passed over: ${transport} (${why})\n`);
  return false;
}
