/** Process of one serving member of a local cluster; its parent sends configuration and doors. */
import { type MemberProcessOptions, runMemberProcess } from './member-process.ts';
import { nativeDoorOf, type ServingOptions, servingPart, type ServingPorts } from './serving.ts';

runMemberProcess(servingProcess());

/** The doors open after the parts are made: their ports are known when the parent is told. */
function servingProcess(): MemberProcessOptions {
  let ports: ServingPorts | null = null;
  return {
    parts: (extra) => [
      servingPart(extra as ServingOptions, (opened) => {
        ports = opened;
      }),
    ],
    nativeDoor: (extra) => nativeDoorOf(extra as ServingOptions),
    info: () => ports,
  };
}
