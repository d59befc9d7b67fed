/** Process of one serving member of a local cluster; its parent sends configuration and doors. */
import { runMemberProcess } from './member-process.ts';
import { type ServingOptions, servingPart, type ServingPorts } from './serving.ts';

let ports: ServingPorts | null = null;

runMemberProcess({
  parts: (extra) => [
    servingPart(extra as ServingOptions, (opened) => {
      ports = opened;
    }),
  ],
  info: () => ports,
});
