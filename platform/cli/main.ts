#!/usr/bin/env node
/** The `freshet` command. Composition root: clock, sinks and exit code are made here. */
import { Command, CommanderError } from 'commander';
import { FreshetError, packageVersion, SystemClock, toFreshetError } from '../base/mod.ts';
import { addAdminCommands } from './commands/admin.ts';
import { addDevCommand } from './commands/dev.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addImportCommand } from './commands/import.ts';
import { addLayoutCommand } from './commands/layout.ts';
import { addObjectCommands } from './commands/objects.ts';
import { addQueryCommand } from './commands/query.ts';
import { addServerCommand } from './commands/server.ts';
import { addSyncCommand } from './commands/sync.ts';
import { addTopCommand } from './commands/top.ts';
import { addVerifyCommand } from './commands/verify.ts';
import { exitCodeOf, Output } from './output.ts';
import { defaultAddress, type GlobalOptions, Session } from './session.ts';

const sinks = {
  out: (text: string | Uint8Array) => {
    process.stdout.write(text);
  },
  err: (text: string) => {
    process.stderr.write(text);
  },
  isTerminal: process.stderr.isTTY,
};

function sessionOf(command: Command): Session {
  const options = command.optsWithGlobals<GlobalOptions>();
  return new Session(options, new Output(sinks, options.json === true));
}

function program(): Command {
  const clock = new SystemClock();
  const root = new Command('freshet')
    .description('A versioned object store that runs your code where the data lands.')
    .option('-a, --address <host:port>', 'gRPC address of a member', defaultAddress)
    .option('--token <token>', 'token that carries your rights')
    .option('--timeout <seconds>', 'time limit of each call', '10')
    .option('--json', 'print JSON, one document a line')
    .version(packageVersion(), '--version', 'print the version')
    .showHelpAfterError()
    .exitOverride();
  addObjectCommands(root, sessionOf, () => clock.wallUs());
  addQueryCommand(root, sessionOf);
  addImportCommand(root, sessionOf);
  addSyncCommand(root, sessionOf, () => clock.wallUs());
  addAdminCommands(root, sessionOf);
  addDevCommand(root, sessionOf);
  addServerCommand(root, sessionOf);
  addLayoutCommand(root, sessionOf, clock);
  addTopCommand(root, sessionOf);
  addVerifyCommand(root, sessionOf);
  addDoctorCommand(root, sessionOf);
  return root;
}

async function main(): Promise<number> {
  const root = program();
  try {
    await root.parseAsync(process.argv);
    return 0;
  } catch (caught) {
    if (caught instanceof CommanderError) return caught.exitCode === 0 ? 0 : 2;
    const error = caught instanceof FreshetError ? caught : toFreshetError(caught);
    new Output(sinks, root.opts<GlobalOptions>().json === true).error(error);
    return exitCodeOf(error);
  }
}

process.stdout.on('error', (caught: NodeJS.ErrnoException) => {
  // The reader has gone (as with `| head`): there is nobody left to tell.
  if (caught.code === 'EPIPE') process.exit(0);
  const code = caught.code === 'ENOSPC' ? 'DISK_FULL' : 'INTERNAL';
  const error = new FreshetError(code, `The output cannot be written: ${caught.message}`, {
    mend: 'Send it where there is room for all of it',
  });
  new Output(sinks, process.argv.includes('--json')).error(error);
  process.exit(1);
});
process.exitCode = await main();
