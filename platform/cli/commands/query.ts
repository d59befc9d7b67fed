import { compileFunction } from 'node:vm';
import type { Command } from 'commander';
import { FreshetError, isFreshetError, messageOf } from '../../base/mod.ts';
import type { Database } from '../../client/mod.ts';
import type { Session } from '../session.ts';

const example =
  "db.pool('/dairy/daily_yield').versions().where(o => o.key.endsWith('/cow_128')).take(10)";

/** `freshet query`: the SDK's LINQ as one expression, run by this process and its shards. */
export function addQueryCommand(program: Command, sessionOf: (command: Command) => Session): void {
  program
    .command('query <expression>')
    .description('run a LINQ expression over `db`, as in the SDK')
    .addHelpText('after', `\nExample:\n  freshet query "${example}"`)
    .action(async (expression: string, _flags: unknown, command: Command) => {
      const session = sessionOf(command);
      await session.withDatabase(async (db) => {
        for await (const row of rowsOf(evaluate(expression, db))) session.output.json(row);
      });
    });
}

/**
 * The expression is the user's own code on the user's own machine; it sees `db` and nothing of
 * ours.
 */
function evaluate(expression: string, db: Database): unknown {
  try {
    return (compileFunction(`return (${expression}\n)`, ['db']) as (db: Database) => unknown)(db);
  } catch (error) {
    if (isFreshetError(error)) throw error;
    throw new FreshetError('INVALID_QUERY', `The expression does not run: ${messageOf(error)}`, {
      mend: `Write it as in the SDK, for example ${example}`,
      cause: error,
    });
  }
}

async function* rowsOf(result: unknown): AsyncGenerator {
  const value: unknown = await result;
  if (typeof value === 'object' && value !== null) {
    if (Symbol.asyncIterator in value) {
      yield* value as AsyncIterable<unknown>;
      return;
    }
    if (Symbol.iterator in value) {
      yield* value as Iterable<unknown>;
      return;
    }
  }
  yield value;
}
