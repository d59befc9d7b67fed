import { join } from 'node:path';
import { createLogger, type LogLevel, silentLogger } from '../../platform/base/mod.ts';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { connect, Database } from '../../platform/client/mod.ts';
import { freePorts, type LocalCluster, memberEntry } from '../../platform/local-cluster.ts';
import { type Member, startMember } from '../../platform/node.ts';
import { nativeDoorOf, servingPart, type ServingPorts } from '../../platform/serving.ts';
import { startProcessCluster } from './cluster.ts';
import { loopbackDoors } from './loopback-doors.ts';

const MiB = 1024 * 1024;
const startTimeoutMs = 60_000;
const callTimeoutMs = 20_000;

/** Members with lambdas and doors, all in this process, over real sockets and disks. */
export interface ServingCluster {
  readonly members: readonly Member[];
  readonly ports: readonly ServingPorts[];
  /** Doors of a client, to the first member. */
  readonly door: GrpcDoor;
  readonly db: Database;
  readonly close: () => Promise<void>;
}

export async function startServingCluster(
  folder: string,
  { members: count = 3, config = {} }: { members?: number; config?: Record<string, unknown> } = {},
): Promise<ServingCluster> {
  const replication = await freePorts(count);
  const members: Member[] = [];
  const ports: ServingPorts[] = [];
  for (const [nth] of replication.entries()) {
    const part = servingPart(loopbackDoors, (opened) => ports.push(opened));
    const settings = {
      cluster: { name: 'test' },
      memory: { ringBudgetBytes: 24 * MiB },
      ...config,
      node: nth + 1,
      members: replication.map((port, at) => ({ id: at + 1, host: '127.0.0.1', port })),
      dataFolder: join(folder, `member-${String(nth + 1)}`),
    };
    const nativeDoor = nativeDoorOf(loopbackDoors);
    members.push(await startMember(settings, { log: testLogger(), parts: [part], nativeDoor }));
  }
  await Promise.all(members.map((member) => member.whenRunning(startTimeoutMs)));
  const address = `127.0.0.1:${String(ports[0]?.grpc)}`;
  const door = new GrpcDoor(address, { token: null, timeoutMs: callTimeoutMs });
  return {
    members,
    ports,
    door,
    db: new Database(door),
    close: async () => {
      await door.close();
      await Promise.all(members.map((member) => member.close()));
    },
  };
}

/** Members with doors, each a process of its own, and a client that knows all of their doors. */
export interface ServedProcesses {
  readonly running: LocalCluster;
  /** Of the gRPC door of each member that runs, by its id; another one after a start. */
  readonly addresses: ReadonlyMap<number, string>;
  readonly database: Database;
  readonly close: () => Promise<void>;
}

export async function startServedProcesses(
  folder: string,
  options: {
    readonly members?: number;
    readonly config?: Record<string, unknown>;
    /** Of the client; default: native. */
    readonly door?: 'native' | 'grpc';
  } = {},
): Promise<ServedProcesses> {
  const entry = memberEntry('serving-member');
  const { door = 'native', ...settings } = options;
  const given = { ...settings, entry, extra: () => loopbackDoors };
  const running = await startProcessCluster(folder, given);
  const addressesNow = (): ReadonlyMap<number, string> => {
    const up = running.members.filter(({ process }) => process !== null);
    return new Map(
      up.map(({ id, info }) => [id, `127.0.0.1:${String((info as ServingPorts).grpc)}`]),
    );
  };
  const doors = [...addressesNow().values()];
  const database = await connect(doors, { door, timeoutMs: 30_000 });
  return {
    running,
    get addresses() {
      return addressesNow();
    },
    database,
    close: async () => {
      await database.close();
      await running.close();
    },
  };
}

/** Silent, unless FRESHET_TEST_LOG names a level. */
function testLogger() {
  const level = process.env['FRESHET_TEST_LOG'];
  return level === undefined ? silentLogger() : createLogger({ level: level as LogLevel });
}
