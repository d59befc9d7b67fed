import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createLogger, silentLogger } from '../../platform/base/mod.ts';
import { freePorts } from '../../platform/local-cluster.ts';
import { type Member, startMember } from '../../platform/node.ts';
import { requireThat, tempFolder, until } from '../support/mod.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

/** Starts a member at each host; all their shards run, or it throws. */
async function runAt(hosts: readonly string[]): Promise<void> {
  const folder = await tempFolder('addresses');
  const ports = await freePorts(hosts.length);
  const members = hosts.map((host, nth) => ({ id: nth + 1, host, port: ports[nth] ?? 0 }));
  const running: Member[] = [];
  try {
    for (const { id } of members) {
      const dataFolder = path.join(folder, String(id));
      const memory = { ringBudgetBytes: 24 * 1024 * 1024 };
      const cluster = { name: 'addresses' };
      const config = { cluster, node: id, members, dataFolder, memory };
      running.push(await startMember(config, { log: silentLogger() }));
    }
    await Promise.all(running.map((member) => member.whenRunning()));
    expect(running.map(({ group }) => group.view.running)).toEqual(hosts.map(() => true));
  } finally {
    await Promise.all(running.map((member) => member.close()));
  }
}

test('members find each other by host name', async () => {
  await runAt(['localhost', '127.0.0.1']);
});

/** Names as all members know them; a name that is not there has no address. */
class Names {
  readonly known = new Map<string, string>();

  readonly lookUp = (host: string): Promise<string> => {
    const address = this.known.get(host);
    return address === undefined
      ? Promise.reject(new Error(`nobody knows ${host}`))
      : Promise.resolve(address);
  };
}

/** Members 1, 2 … at hosts barn-1, barn-2 … */
async function configsByName(count: number): Promise<readonly object[]> {
  const folder = await tempFolder('names');
  const ports = await freePorts(count);
  const members = ports.map((port, nth) => {
    const id = nth + 1;
    return { id, host: `barn-${String(id)}`, port };
  });
  return members.map(({ id }) => ({
    cluster: { name: 'addresses' },
    node: id,
    members,
    dataFolder: path.join(folder, String(id)),
    memory: { ringBudgetBytes: 24 * 1024 * 1024 },
  }));
}

describe('members by name', () => {
  const running: Member[] = [];
  let warnings: string[] = [];

  afterEach(async () => {
    await Promise.all(running.splice(0).map((member) => member.close()));
    warnings = [];
  });

  async function start(config: object | undefined, { lookUp }: Names): Promise<Member> {
    const destination = { write: (line: string) => warnings.push(line) };
    const log = createLogger({ level: 'warn', destination });
    const member = await startMember(config, { log, lookUp });
    running.push(member);
    return member;
  }

  test('find each other once their names have addresses, and say so until then', async () => {
    const [one, two] = await configsByName(2);
    const names = new Names();
    names.known.set('barn-1', '127.0.0.1');
    const first = await start(one, names);
    await until(() => first.group.explain().includes('barn-2 has no address'));
    expect(first.group.explain()).toBe(
      'waiting for member 2 (barn-2 has no address: nobody knows barn-2)',
    );
    names.known.set('barn-2', '127.0.0.1');
    const second = await start(two, names);
    await Promise.all([first, second].map((member) => member.whenRunning()));
    const said = warnings.filter((line) => line.includes('has no address'));
    expect(said).toHaveLength(1);
  });

  test('a member whose name has no address here connects itself', async () => {
    const [one, two] = await configsByName(2);
    const names = new Names();
    names.known.set('barn-1', '127.0.0.1').set('barn-2', '127.0.0.1');
    const lacking = new Names();
    lacking.known.set('barn-2', '127.0.0.1');
    // The lower one dials.
    const members = [await start(two, lacking), await start(one, names)];
    await Promise.all(members.map((member) => member.whenRunning()));
  });

  test('find one again that has another address', async () => {
    const [one, two] = await configsByName(2);
    const names = new Names();
    names.known.set('barn-1', '127.0.0.1').set('barn-2', '127.0.0.1');
    const first = await start(one, names);
    const second = await start(two, names);
    await Promise.all([first, second].map((member) => member.whenRunning()));
    await second.close();
    running.splice(running.indexOf(second), 1);
    names.known.set('barn-2', '127.0.0.2');
    const moved = await start(two, names);
    await Promise.all([first, moved].map((member) => member.whenRunning()));
  });
});

test('members find each other over IPv6, with brackets or without', async (context) => {
  requireThat(context, hasIPv6, 'there is no IPv6 loopback', 'ip -6 addr add ::1/128 dev lo');
  await runAt(['::1', '[::1]']);
});
