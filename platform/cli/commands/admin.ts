import type { Command } from 'commander';
import type { PoolKind, SchemaKind } from '../../client/mod.ts';
import { preparePipeline } from '../../lambda/mod.ts';
import { parseWhole, type Session } from '../session.ts';

interface PoolFlags {
  readonly kind: string;
  readonly history?: string;
  readonly maxValue?: string;
  readonly timeAxis?: string;
  readonly schema?: string;
  readonly subgroup?: string;
}

interface DeployedLike {
  readonly name: string;
  readonly nodes: readonly {
    readonly prefix: string;
    readonly lambda: string;
    readonly version: string;
  }[];
}

type SessionOf = (command: Command) => Session;

/** pool, pipeline, members. */
export function addAdminCommands(program: Command, sessionOf: SessionOf): void {
  addPoolCommands(program, sessionOf);
  addPipelineCommands(program, sessionOf);
  program
    .command('members')
    .description('the members of the cluster and what it waits for')
    .action(async (_flags: unknown, command: Command) => {
      const session = sessionOf(command);
      await session.withDatabase(async (db) => {
        const view = await db.members();
        session.output.either(view, () => {
          const lines = view.members.map(
            ({ nodeId, host, up }) => `member ${String(nodeId)}  ${host}  ${up ? 'up' : 'down'}`,
          );
          return [`view ${String(view.view)}`, ...lines, view.waitingFor ?? 'answering'].join('\n');
        });
      });
    });
}

function addPoolCommands(program: Command, sessionOf: SessionOf): void {
  const pool = program.command('pool').description('object pools');
  pool
    .command('create <name>')
    .option('--kind <kind>', 'volatile, persistent or trigger', 'persistent')
    .option('--history <n>', 'versions of a key that a volatile pool keeps')
    .option('--max-value <bytes>', 'largest value')
    .option('--time-axis <axis>', "what 'at' means: commit or event")
    .option('--schema <kind>', 'json, msgpack or raw')
    .option('--subgroup <name>', 'whose shards hold it; default: the one called as the kind')
    .action(async (name: string, flags: PoolFlags, command: Command) => {
      const session = sessionOf(command);
      await session.withDatabase(async (db) => {
        session.output.pool(await db.createPool({ name, ...poolOptions(flags) }));
      });
    });
  pool.command('ls').action(async (_flags: unknown, command: Command) => {
    const session = sessionOf(command);
    await session.withDatabase(async (db) => {
      for (const info of await db.pools()) session.output.pool(info);
    });
  });
  pool.command('rm <name>').action(async (name: string, _flags: unknown, command: Command) => {
    const session = sessionOf(command);
    await session.withDatabase(async (db) => db.removePool(name));
    session.output.either({ removed: name }, () => `removed ${name}`);
  });
}

function addPipelineCommands(program: Command, sessionOf: SessionOf): void {
  const pipeline = program.command('pipeline').description('pipelines of lambdas');
  pipeline
    .command('deploy <file>')
    .description('check, bundle and deploy a pipeline.json')
    .action(async (file: string, _flags: unknown, command: Command) => {
      const session = sessionOf(command);
      const prepared = await preparePipeline(file);
      const { name, pools, nodes, assets, bundles, files } = prepared;
      await session.withDoor(async (door) => {
        const document = new TextEncoder().encode(JSON.stringify({ pools, nodes, assets }));
        const changes = await door.deploy({ name, document, bundles, assets: files });
        session.output.either({ pipeline: name, changes }, () =>
          [`${name} deployed`, ...changes.map((line) => `  ${line}`)].join('\n'),
        );
      });
    });
  pipeline
    .command('check <file>')
    .description('check and bundle a pipeline.json without a cluster')
    .action(async (file: string, _flags: unknown, command: Command) => {
      const { name, nodes } = await preparePipeline(file);
      sessionOf(command).output.either(
        { pipeline: name, lambdas: nodes.length },
        () => `${name}: ${String(nodes.length)} lambdas, no fault found`,
      );
    });
  pipeline.command('ls').action(async (_flags: unknown, command: Command) => {
    const session = sessionOf(command);
    await session.withDoor(async (door) => {
      for (const item of await door.pipelines()) {
        session.output.either(item, () => describe(item as DeployedLike));
      }
    });
  });
  pipeline.command('rm <name>').action(async (name: string, _flags: unknown, command: Command) => {
    const session = sessionOf(command);
    await session.withDoor(async (door) => door.removePipeline(name));
    session.output.either({ removed: name }, () => `removed ${name}`);
  });
}

function describe({ name, nodes }: DeployedLike): string {
  return [name, ...nodes.map((node) => `  ${node.prefix}  ${node.lambda} ${node.version}`)].join(
    '\n',
  );
}

/** Names are checked by the cluster; numbers here. */
function poolOptions({ kind, history, maxValue, timeAxis, schema, subgroup }: PoolFlags) {
  return {
    kind: kind as PoolKind,
    ...(history === undefined ? {} : { history: parseWhole(history, '--history', 0, 1e6) }),
    ...(maxValue === undefined
      ? {}
      : { maxValueBytes: parseWhole(maxValue, '--max-value', 1, 2 ** 30) }),
    ...(timeAxis === undefined ? {} : { timeAxis: timeAxis as 'commit' | 'event' }),
    ...(schema === undefined ? {} : { schema: schema as SchemaKind }),
    ...(subgroup === undefined ? {} : { subgroup }),
  };
}
