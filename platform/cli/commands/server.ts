import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { Type } from 'typebox';
import {
  formatAddress,
  FreshetError,
  messageOf,
  packageRoot,
  parseConfig,
  plainHost,
} from '../../base/mod.ts';
import type { Member } from '../../node.ts';
import type { ServingPorts } from '../../serving.ts';
import type { Session } from '../session.ts';

const port = (value: number) => Type.Integer({ minimum: 0, maximum: 65_535, default: value });

/** The `serving` section of a member's configuration file. */
const ServingSchema = Type.Object({
  host: Type.String({ default: '127.0.0.1' }),
  grpcPort: port(7401),
  httpPort: port(7400),
  nativePort: port(7402),
  allowedHosts: Type.Array(Type.String(), { default: [] }),
});

/** `freshet server`: one member on this host, as its configuration file says. */
export function addServerCommand(program: Command, sessionOf: (command: Command) => Session): void {
  program
    .command('server <config>')
    .description('run one member as its JSON configuration file says; SIGTERM ends it')
    .action(async (file: string, _flags: unknown, command: Command) => {
      const { output } = sessionOf(command);
      const { serving: given, ...member } = await readConfig(file);
      const options = parseConfig(ServingSchema, given ?? {}, { source: `${file}: serving` });
      refuseOpenDoors(options);
      const onOpen = (ports: ServingPorts) => {
        const [grpc, http, native] = [ports.grpc, ports.http, ports.native].map((one) =>
          formatAddress(options.host, one),
        );
        output.note(`gRPC ${grpc}  HTTP ${http}  native ${native}`);
      };
      // Only here: every other command would wait for a server that it does not need.
      const [{ startMember }, { nativeDoorOf, servingPart }] = await Promise.all([
        import('../../node.ts'),
        import('../../serving.ts'),
      ]);
      const dashboardFolder = path.join(packageRoot(), 'dist', 'dashboard');
      const serving = { ...options, dashboardFolder, searchPorts: false };
      const parts = [servingPart(serving, onOpen)];
      const nativeDoor = nativeDoorOf(serving);
      await runUntilSignal(await startMember(member, { parts, nativeDoor, source: file }));
    });
}

async function readConfig(file: string): Promise<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof parsed === 'object' && parsed !== null) return { ...parsed };
    throw new Error('it is no JSON object');
  } catch (cause) {
    throw new FreshetError('INVALID_CONFIG', `'${file}' cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Off loopback the doors need credentials, which this version does not check yet. */
function refuseOpenDoors({ host }: { readonly host: string }): void {
  if (['127.0.0.1', '::1', 'localhost'].includes(plainHost(host))) return;
  throw new FreshetError(
    'INVALID_CONFIG',
    `serving.host is '${host}', open to others without credentials`,
    {
      mend: 'Serve on 127.0.0.1 and put an authenticating proxy before it',
    },
  );
}

async function runUntilSignal(member: Member): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  await member.close();
}
