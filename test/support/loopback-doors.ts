import type { ServingOptions } from '../../platform/serving.ts';

/** Doors on loopback at any free ports, without a dashboard. */
export const loopbackDoors: ServingOptions = {
  host: '127.0.0.1',
  grpcPort: 0,
  httpPort: 0,
  nativePort: 0,
  allowedHosts: [],
  dashboardFolder: null,
  searchPorts: false,
};
