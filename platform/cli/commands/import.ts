import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { FreshetError, toFreshetError } from '../../base/mod.ts';
import { runImport, type TimeFormat, timeFormats } from '../../client/mod.ts';
import type { Session } from '../session.ts';

interface ImportFlags {
  readonly key: string;
  readonly eventTime: string;
  readonly timeFormat: string;
  readonly delimiter: string;
  readonly fields?: readonly string[];
  readonly text?: readonly string[];
  readonly rename?: readonly string[];
  readonly from?: string;
}

/** `freshet import`: a CSV file as puts, with the writer's own times; goes on where it stopped. */
export function addImportCommand(program: Command, sessionOf: (command: Command) => Session): void {
  program
    .command('import <file>')
    .description('put the rows of a CSV file; its first row names the columns')
    .requiredOption('--key <template>', "as '/dairy/daily_{field}/cow_{cow}': columns in braces")
    .requiredOption('--event-time <column>', 'the column that holds the time of a row')
    .option('--time-format <format>', timeFormats.join(', '), 'iso')
    .option('--delimiter <character>', 'between cells', ',')
    .option('--fields <columns...>', 'columns with values; default: all that are left')
    .option('--text <columns...>', 'columns with text; all others hold numbers')
    .option('--rename <old=new...>', 'other names for columns')
    .option('--from <token>', 'go on after an earlier run')
    .action(async (file: string, flags: ImportFlags, command: Command) => {
      const session = sessionOf(command);
      const { output } = session;
      let token = flags.from ?? null;
      try {
        const done = await session.withDatabase(async ({ door }) =>
          runImport(door, {
            ...optionsOf(file, flags),
            onProgress: (progress) => {
              token = progress.token;
              output.progress(`${String(progress.rows)} rows, ${String(progress.puts)} puts`);
            },
            onBad: (line, reason) => {
              output.note(`line ${String(line)}: ${reason}`);
            },
            sleep: async (ms) => {
              await sleep(ms);
            },
          }),
        );
        output.endProgress();
        output.either(
          done,
          () =>
            `${counted(done.rows, 'row')}, ${counted(done.puts, 'put')}; ` +
            `${counted(done.bad, 'bad row')} left out`,
        );
      } catch (caught) {
        output.endProgress();
        throw resumable(caught, token);
      }
    });
}

/** The error, with how to go on where the import stopped. */
function resumable(caught: unknown, token: string | null): FreshetError {
  const error = toFreshetError(caught);
  // An argument that is refused is so before the first row.
  if (token === null || error.code === 'INVALID_ARGUMENT') return error;
  const mend = `${error.mend}; then go on with --from ${token}`;
  return new FreshetError(error.code, error.message, { mend, cause: error });
}

function optionsOf(file: string, flags: ImportFlags) {
  const { timeFormat, delimiter, fields, text, rename = [], from } = flags;
  if (!timeFormats.includes(timeFormat as TimeFormat)) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `--time-format is '${timeFormat}', not one of ${timeFormats.join(', ')}`,
    );
  }
  if (!/^[\t !#-~]$/.test(delimiter)) {
    throw new FreshetError('INVALID_ARGUMENT', `--delimiter is '${delimiter}', not one character`);
  }
  return {
    file,
    keyTemplate: flags.key,
    eventTimeColumn: flags.eventTime,
    timeFormat: timeFormat as TimeFormat,
    delimiter,
    rename: Object.fromEntries(rename.map(pairOf)),
    ...(fields === undefined ? {} : { fields }),
    ...(text === undefined ? {} : { textFields: text }),
    ...(from === undefined ? {} : { from }),
  };
}

function counted(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`;
}

function pairOf(pair: string): [string, string] {
  const [old = '', name = ''] = pair.split('=');
  if (old !== '' && name !== '') return [old, name];
  throw new FreshetError('INVALID_ARGUMENT', `--rename is '${pair}', not old=new`);
}
