/**
 * Hosts with addresses of their own: network namespaces, each with one cable to a namespace where
 * all cables end. What joins them there is another's affair (network.ts, paced-network.ts). Only in
 * an enclosure (enclosure.ts), which takes all of it away.
 *
 * Hosts are numbers from 0 on; host 0 is the enclosure's own network, where the test's clients are.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { isEnclosed } from './enclosure.ts';

const run = promisify(execFile);

/** Where all cables end. */
export const switchHost = 'switch';

/** Where the processes of a cluster find the hosts they run at. */
export interface Hosts {
  addressOf(host: number): string;
  /** The words before a command that runs it at a host, in the same process. */
  at(host: number): readonly string[];
}

export const hosts: Hosts = {
  addressOf: (host) => `10.77.0.${String(10 + host)}`,
  at: (host) => (host === 0 ? [] : ['nsenter', `--net=/run/netns/${name(host)}`]),
};

/** One end of a cable. */
export interface End {
  /** null: that of this program. */
  readonly namespace: string | null;
  readonly device: string;
}

/** Of the cable of a host: its own, and the one where all end. */
export function endsOf(host: number): readonly [End, End] {
  return [
    { namespace: host === 0 ? null : name(host), device: `h${String(host)}` },
    { namespace: switchHost, device: `s${String(host)}` },
  ];
}

/** Makes hosts 0 to `members`, and returns their numbers. */
export async function layCables(members: number): Promise<readonly number[]> {
  if (!isEnclosed()) throw new Error('Networks are made in an enclosure only');
  const numbers = Array.from({ length: members + 1 }, (_, host) => host);
  await run('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  const names = [switchHost, ...numbers.slice(1).map(name)];
  await ip(names.map((namespace) => `netns add ${namespace}`));
  await Promise.all(numbers.map(connect));
  return numbers;
}

/** Changes the queue of what leaves an end of a cable. */
export async function tc(
  verb: string,
  { namespace, device }: End,
  ...words: string[]
): Promise<void> {
  const place = namespace === null ? [] : ['-n', namespace];
  await run('tc', [...place, 'qdisc', verb, 'dev', device, 'root', ...words]);
}

/** Runs commands of `ip` in a namespace; null: in that of this program. */
export async function ip(
  commands: readonly string[],
  namespace: string | null = null,
): Promise<void> {
  const running = run('ip', [...(namespace === null ? [] : ['-n', namespace]), '-batch', '-']);
  running.child.stdin?.end(`${commands.join('\n')}\n`);
  await running;
}

function name(host: number): string {
  return `host-${String(host)}`;
}

/** The cable of a host, its address, and its way to itself. */
async function connect(host: number): Promise<void> {
  const [{ device: near }, { device: far }] = endsOf(host);
  await ip([
    `link add ${near} type veth peer name ${far}`,
    `link set ${far} netns ${switchHost}`,
    ...(host === 0 ? [] : [`link set ${near} netns ${name(host)}`]),
  ]);
  await ip([`link set ${far} up`], switchHost);
  await ip(
    [
      `address add ${hosts.addressOf(host)}/24 dev ${near}`,
      `link set ${near} up`,
      'link set lo up',
    ],
    host === 0 ? null : name(host),
  );
}
