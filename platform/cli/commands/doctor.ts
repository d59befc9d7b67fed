import type { Command } from 'commander';
import { FreshetError } from '../../base/mod.ts';
import { loadAddon, type TransportName, transportNames } from '../../bridge/mod.ts';
import type { Session } from '../session.ts';
import { type TransportState, transportState } from '../transport-states.ts';

interface DoctorFlags {
  readonly host: string;
  readonly transport?: string;
}

/** `freshet doctor`: what this machine has of what a member may be configured to use. */
export function addDoctorCommand(program: Command, sessionOf: (command: Command) => Session): void {
  program
    .command('doctor')
    .description('say which transports this machine has, and what is missing for the others')
    .option('--host <address>', 'numeric address that a member here listens at', '127.0.0.1')
    .option('--transport <name>', 'this one only; fails if it cannot be used')
    .action(({ host, transport }: DoctorFlags, command: Command) => {
      const { output } = sessionOf(command);
      const addon = loadAddon();
      const wanted = transport === undefined ? transportNames : [known(transport)];
      const states = wanted.map((name) => transportState(addon, name, host));
      output.either({ host, transports: states }, () => states.map(describe).join('\n'));
      const [state] = states;
      if (transport === undefined || state === undefined || state.refusal === null) return;
      throw new FreshetError(state.refusal, `${transport} cannot be used at ${host}`, {
        ...(state.mend === null ? {} : { mend: state.mend }),
      });
    });
}

function known(name: string): TransportName {
  const found = transportNames.find((one) => one === name);
  if (found !== undefined) return found;
  throw new FreshetError('INVALID_ARGUMENT', `There is no transport ${name}`, {
    mend: `Name one of ${transportNames.join(', ')}`,
  });
}

function describe({ transport, refusal, facts, mend }: TransportState): string {
  const title = `${transport.padEnd(12)}  ${refusal ?? 'ready'}`;
  return [title, ...facts.map((fact) => `  ${fact}`), ...(mend === null ? [] : [`  ${mend}`])].join(
    '\n',
  );
}
