import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { FreshetError, messageOf } from '../../base/mod.ts';
import type { Database } from '../../client/mod.ts';
import { parseNumber, parseWhole, type Session } from '../session.ts';
import { topLines, type TopResult, type TopSample } from '../top-view.ts';

interface TopFlags {
  readonly http?: string;
  readonly watch: string;
  readonly interval: string;
  readonly count?: string;
}

const resultsMax = 8;
const resultLengthMax = 100;

/** `freshet top`: members, rates, lambdas and the last results, again and again. */
export function addTopCommand(program: Command, sessionOf: (command: Command) => Session): void {
  program
    .command('top')
    .description('members, rates, lambdas and last results, until interrupted')
    .option('--http <url>', 'HTTP door of the same member; default: as it says itself')
    .option('--watch <prefix>', 'whose changes are the last results', '/dairy/storage')
    .option('--interval <seconds>', 'between two views', '1')
    .option('--count <n>', 'end after so many views')
    .action(async (flags: TopFlags, command: Command) => {
      const session = sessionOf(command);
      await session.withDatabase(async (db) => runTop(db, flags, session));
    });
}

async function runTop(db: Database, flags: TopFlags, { output, address }: Session): Promise<void> {
  const interval = parseNumber(flags.interval, '--interval', 0.1, 3600) * 1000;
  const count = flags.count === undefined ? Infinity : parseWhole(flags.count, '--count', 1, 1e9);
  const abort = new AbortController();
  const results: TopResult[] = [];
  const following = follow(db, flags.watch, results, abort.signal);
  const http = flags.http ?? (await httpDoorOf(db, address));
  let before = await sampleOf(http);
  for (let shown = 0; shown < count; shown++) {
    await sleep(interval);
    const now = await sampleOf(http);
    const { members, waitingFor } = await db.members();
    if (output.isJson) output.json({ ...now, members, waitingFor, results });
    else output.page(topLines(before, now, members, waitingFor, results));
    before = now;
  }
  abort.abort();
  await following;
}

/** On the host at which its gRPC door was reached; what members call each other may be another. */
async function httpDoorOf(db: Database, address: string): Promise<string> {
  const { me, members } = await db.members();
  const port = members.find(({ nodeId }) => nodeId === me)?.ports['http'];
  if (port !== undefined) return `http://${address.replace(/:\d+$/, '')}:${String(port)}`;
  throw new FreshetError('UNREACHABLE', `The member at ${address} names no HTTP door`, {
    mend: 'Give it with --http',
  });
}

async function sampleOf(http: string): Promise<TopSample> {
  try {
    const reply = await fetch(`${http}/v1/sample`);
    if (!reply.ok) throw new Error(`it answered ${String(reply.status)}`);
    return (await reply.json()) as TopSample;
  } catch (cause) {
    throw new FreshetError('UNREACHABLE', `${http} gives no sample: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Keeps the newest results; a pool that is not there has none. */
async function follow(
  db: Database,
  prefix: string,
  results: TopResult[],
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const { object } of db.door.watch({ prefix, signal })) {
      const text = Buffer.from(object.value ?? [])
        .toString()
        .slice(0, resultLengthMax);
      results.unshift({ key: object.key, text });
      results.length = Math.min(results.length, resultsMax);
    }
  } catch (error) {
    results.unshift({ key: prefix, text: messageOf(error) });
  }
}
