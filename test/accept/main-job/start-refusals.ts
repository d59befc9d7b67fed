import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { type Check, holds, type Line } from '../check.ts';
import { isShortRefusal, lastWords, startProduct } from '../product.ts';

const timeoutMs = 120_000;
const host = '127.0.0.1';

/** What a start finds in its way: each is the next port, or one sentence and the mend. */
export const startRefusals: Check = {
  point: '1 commands',
  name: 'start-refusals',
  run: async ({ root, folder }) => {
    const data = join(folder, 'data');
    const busy = await listen();
    try {
      const { port } = busy;
      const words = ['--no-pipeline', '--data', data, '--port', String(port)];
      const running = startProduct(root, words, { timeoutMs });
      await running.whenSaid(/gRPC \S+:\d+/, timeoutMs);
      const got = Number(/HTTP \S+:(\d+)/.exec(running.stderr)?.[1]);
      const second = await startProduct(root, ['--no-pipeline', '--data', data], { timeoutMs })
        .ended;
      running.signal('SIGINT');
      const first = await running.ended;
      return [
        holds(
          'a busy port',
          'the next free one',
          got > port,
          `${String(port)} busy, ${String(got)}`,
        ),
        refusal('a second start on the same data', second, /DATA_IN_USE/),
        holds('Ctrl-C of a cluster without pipeline', 'exit 0', first.code === 0, lastWords(first)),
        await newerFormat(root, data),
        await unwritable(root),
      ];
    } finally {
      busy.server.close();
    }
  },
};

async function newerFormat(root: string, data: string): Promise<Line> {
  const file = join(data, 'member-1', 'format.json');
  const format = JSON.parse(await readFile(file, 'utf8')) as { format: number };
  await writeFile(file, JSON.stringify({ ...format, format: format.format + 1 }));
  const ending = await startProduct(root, ['--no-pipeline', '--data', data], { timeoutMs }).ended;
  return refusal('data of a newer format', ending, /NEWER_FORMAT/);
}

/** /proc takes no folders from anybody, root included. */
async function unwritable(root: string): Promise<Line> {
  const words = ['--no-pipeline', '--data', '/proc/freshet'];
  const ending = await startProduct(root, words, { timeoutMs }).ended;
  return refusal('a folder that cannot be written', ending, /DATA_UNWRITABLE/);
}

function refusal(
  name: string,
  ending: Awaited<ReturnType<typeof startProduct>['ended']>,
  code: RegExp,
): Line {
  const target = `one sentence: ${code.source}`;
  return holds(name, target, isShortRefusal(ending, code), lastWords(ending));
}

async function listen(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return { server, port: address.port };
}
