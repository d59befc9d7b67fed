import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { FreshetError, messageOf } from '../../base/mod.ts';
import type { Ack, Expectation, ReadLevel } from '../../client/mod.ts';
import { parseMoment, parseWhole, type Session } from '../session.ts';

interface PutFlags {
  readonly file?: string;
  readonly ack?: string;
  readonly eventTime?: string;
  readonly ifVersion?: string;
  readonly meta?: readonly string[];
  readonly contentType?: string;
}

interface GetFlags {
  readonly version?: string;
  readonly at?: string;
  readonly read?: string;
  readonly exact?: boolean;
  readonly show?: boolean;
}

type SessionOf = (command: Command) => Session;

const acks: readonly string[] = ['none', 'delivered', 'persisted'];
const readLevels: readonly string[] = ['local', 'stable', 'linearizable'];

/** put, get, rm, ls, history, watch, trigger. */
export function addObjectCommands(
  program: Command,
  sessionOf: SessionOf,
  nowUs: () => number,
): void {
  addPutAndGet(program, sessionOf, nowUs);
  program
    .command('rm <key>')
    .description('remove an object; its history stays')
    .option('--if-version <n>', 'only if this is the newest version of the key')
    .action(async (key: string, flags: PutFlags, command: Command) => {
      const session = sessionOf(command);
      await session.withDatabase(async ({ door }) => {
        session.output.put(key, await door.remove({ key, ...conditionOf(flags.ifVersion) }));
      });
    });
  addListing(program, sessionOf, nowUs);
  program
    .command('trigger <key> [value]')
    .description('hand bytes to the lambdas of one member; nothing is stored')
    .option('-f, --file <path>', 'read the value from a file; - for standard input')
    .option('--all', 'to every member that holds the key')
    .action(
      async (
        key: string,
        value: string | undefined,
        flags: PutFlags & { all?: boolean },
        command: Command,
      ) => {
        const session = sessionOf(command);
        const bytes = await valueOf(value, flags.file);
        await session.withDatabase(async ({ door }) => {
          const to = flags.all === true ? 'all' : 'one';
          const result = await door.triggerPut({ key, value: bytes, to });
          session.output.either(result, () => `taken in by member ${result.members.join(', ')}`);
        });
      },
    );
}

function addPutAndGet(program: Command, sessionOf: SessionOf, nowUs: () => number): void {
  program
    .command('put <key> [value]')
    .description('store a value (text, or bytes from a file or standard input)')
    .option('-f, --file <path>', 'read the value from a file; - for standard input')
    .option('--ack <level>', `when it is answered: ${acks.join(', ')}`)
    .option('--event-time <moment>', "the writer's own time")
    .option('--if-version <n>', 'only if this is the newest version of the key; 0: only if new')
    .option('--content-type <type>', 'what the bytes are')
    .option('--meta <name=value...>', 'further properties')
    .action(async (key: string, value: string | undefined, flags: PutFlags, command: Command) => {
      const session = sessionOf(command);
      const bytes = await valueOf(value, flags.file);
      await session.withDatabase(async ({ door }) => {
        session.output.put(
          key,
          await door.put({ key, value: bytes, ...putOptions(flags, value, nowUs()) }),
        );
      });
    });
  program
    .command('get <key>')
    .description('print the value of an object')
    .option('--version <n>', 'as of this version of its shard')
    .option('--exact', 'with --version: this very version')
    .option('--at <moment>', 'as of a moment: µs, ISO date, or -30s')
    .option('--read <level>', readLevels.join(', '))
    .option('--show', 'print version, times and properties instead of the bare value')
    .action(async (key: string, flags: GetFlags, command: Command) => {
      const session = sessionOf(command);
      await session.withDatabase(async ({ door }) => {
        const object = await door.get({ key, ...readOptions(flags, nowUs()) });
        const value = object?.value ?? null;
        if (object === null || value === null)
          throw new FreshetError('NOT_FOUND', `There is no object '${key}'`);
        if (flags.show === true || session.output.isJson) session.output.object(object);
        else session.output.bytes(value);
      });
    });
}

function addListing(program: Command, sessionOf: SessionOf, nowUs: () => number): void {
  program
    .command('ls [prefix]')
    .description('list keys under a prefix, or the pools')
    .option('--at <moment>', 'as of a moment')
    .option('--read <level>', readLevels.join(', '))
    .option('--limit <n>', 'at most so many')
    .action(
      async (
        prefix: string | undefined,
        flags: { at?: string; read?: string; limit?: string },
        command: Command,
      ) => {
        const session = sessionOf(command);
        await session.withDatabase(async (db) => {
          if (prefix === undefined) {
            for (const pool of await db.pools()) session.output.pool(pool);
            return;
          }
          const wanted = { prefix, ...pointOf(flags, nowUs()), ...limitOf(flags.limit) };
          for await (const key of db.door.list(wanted)) {
            session.output.either({ key }, () => key);
          }
        });
      },
    );
  program
    .command('history <key>')
    .description('the versions of one object')
    .option('--reverse', 'newest first')
    .option('--limit <n>', 'at most so many')
    .action(async (key: string, flags: { reverse?: boolean; limit?: string }, command: Command) => {
      const session = sessionOf(command);
      const reverse = flags.reverse === true;
      await session.withDatabase(async ({ door }) => {
        for await (const object of door.history({ key, reverse, ...limitOf(flags.limit) })) {
          session.output.object(object);
        }
      });
    });
  program
    .command('watch <prefix>')
    .description('print changes as they come, until interrupted')
    .option('--from <token>', 'go on after the event that carried this token')
    .option('--limit <n>', 'end after so many')
    .action(async (prefix: string, flags: { from?: string; limit?: string }, command: Command) => {
      const session = sessionOf(command);
      const { limit = Infinity } = limitOf(flags.limit);
      let count = 0;
      await session.withDatabase(async ({ door }) => {
        const from = flags.from === undefined ? {} : { from: flags.from };
        for await (const { object, token } of door.watch({ prefix, ...from })) {
          session.output.object(object);
          if (session.output.isJson) session.output.json({ token });
          if (++count >= limit) return;
        }
      });
    });
}

async function valueOf(value: string | undefined, file: string | undefined): Promise<Uint8Array> {
  if (value !== undefined && file !== undefined) {
    throw new FreshetError('INVALID_ARGUMENT', 'Both a value and --file are given; give one');
  }
  if (value !== undefined) return new TextEncoder().encode(value);
  if (file !== undefined && file !== '-') {
    return readFile(file).catch((cause: unknown) => {
      throw new FreshetError('INVALID_ARGUMENT', `--file cannot be read: ${messageOf(cause)}`, {
        cause,
      });
    });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

function putOptions(flags: PutFlags, text: string | undefined, nowUs: number) {
  const { ack, eventTime, contentType, meta = [] } = flags;
  const type = contentType ?? (text === undefined ? 'application/octet-stream' : typeOfText(text));
  return {
    meta: { 'content-type': type, ...Object.fromEntries(meta.map(pairOf)) },
    ...(ack === undefined ? {} : { ack: oneOf<Ack>(ack, '--ack', acks) }),
    ...(eventTime === undefined
      ? {}
      : { eventTime: parseMoment(eventTime, '--event-time', nowUs) }),
    ...conditionOf(flags.ifVersion),
  };
}

function typeOfText(text: string): string {
  try {
    JSON.parse(text);
    return 'application/json';
  } catch {
    // Plain words are no JSON, and need not be.
    return 'text/plain';
  }
}

function readOptions({ version, exact, ...point }: GetFlags, nowUs: number) {
  return {
    ...(version === undefined ? {} : { version: countOf(version, '--version') }),
    ...(exact === true ? { exact } : {}),
    ...pointOf(point, nowUs),
  };
}

function pointOf({ at, read }: Pick<GetFlags, 'at' | 'read'>, nowUs: number) {
  return {
    ...(at === undefined ? {} : { at: parseMoment(at, '--at', nowUs) }),
    ...(read === undefined ? {} : { read: oneOf<ReadLevel>(read, '--read', readLevels) }),
  };
}

function conditionOf(ifVersion: string | undefined): { expect?: Expectation } {
  return ifVersion === undefined
    ? {}
    : { expect: { versionOfKey: countOf(ifVersion, '--if-version') } };
}

function limitOf(limit: string | undefined): { limit?: number } {
  return limit === undefined ? {} : { limit: parseWhole(limit, '--limit', 1, 1e9) };
}

function countOf(text: string, option: string): number {
  return parseWhole(text, option, 0, Number.MAX_SAFE_INTEGER);
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new FreshetError('INVALID_ARGUMENT', `--meta is '${text}', not name=value`);
}

function oneOf<N extends string>(text: string, option: string, names: readonly string[]): N {
  if (names.includes(text)) return text as N;
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `${option} is '${text}', not one of ${names.join(', ')}`,
  );
}
