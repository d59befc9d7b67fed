import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import path from 'node:path';
import type { Command } from 'commander';
import { FreshetError, isFreshetError, packageRoot, runsFromSources } from '../../base/mod.ts';
import { unlessAborted } from '../../local-cluster.ts';
import { deployOnce } from '../deploy-once.ts';
import { type DevCluster, startDevCluster } from '../dev-cluster.ts';
import { parseNumber, parseWhole, type Session } from '../session.ts';

interface DevFlags {
  readonly members: string;
  readonly data: string;
  readonly port: string;
  readonly grpcPort: string;
  readonly fresh?: boolean;
  readonly frames?: string;
  readonly fps: string;
  readonly pipeline: string | false;
  readonly logLevel: string;
}

const dairy = path.join('pipelines', 'dairy');

/** `freshet dev`: a whole cluster on this machine, with the dairy pipeline and its camera. */
export function addDevCommand(program: Command, sessionOf: (command: Command) => Session): void {
  program
    .command('dev')
    .description('start a local cluster with the dairy pipeline; Ctrl-C ends it')
    .option('--members <n>', 'members of the cluster', '3')
    .option('--data <folder>', 'where data is kept', '.freshet')
    .option('--port <n>', 'dashboard and HTTP; busy: the next free one', '7400')
    .option('--grpc-port <n>', 'gRPC; busy: the next free one', '7401')
    .option('--fresh', 'wipe the data first')
    .option('--frames <n>', 'process so many camera frames, print the outcome, end')
    .option('--fps <n>', 'camera frames a second; 0: as fast as they are taken', '4')
    .option('--no-pipeline', 'the cluster alone')
    .option('--log-level <level>', 'of the members', 'warn')
    .action(async (flags: DevFlags, command: Command) => {
      await runDev(flags, sessionOf(command));
    });
}

async function runDev(flags: DevFlags, session: Session): Promise<void> {
  const stop = interruption();
  try {
    await runUntil(stop, flags, session);
  } catch (error) {
    // Whoever ended it need not be told that it ended.
    if (!stop.signal.aborted || !isFreshetError(error, 'CANCELLED')) throw error;
  }
}

async function runUntil(stop: Interruption, flags: DevFlags, { output }: Session): Promise<void> {
  // For the camera, which begins when everything else stands: better refused now.
  parseNumber(flags.fps, '--fps', 0, 1000);
  const frames = flags.frames === undefined ? null : parseWhole(flags.frames, '--frames', 1, 1e9);
  const dev = await startDevCluster(
    {
      members: parseWhole(flags.members, '--members', 1, 16),
      dataFolder: flags.data,
      httpPort: parseWhole(flags.port, '--port', 0, 65_535),
      grpcPort: parseWhole(flags.grpcPort, '--grpc-port', 0, 65_535),
      fresh: flags.fresh === true,
      logLevel: flags.logLevel,
      signal: stop.signal,
    },
    (text) => {
      output.progress(text);
    },
    (text) => {
      output.note(text);
    },
  );
  try {
    if (flags.pipeline === false) {
      output.endProgress();
      output.note(`HTTP ${dev.http}\ngRPC ${dev.grpc}`);
      await stop.promise;
      return;
    }
    output.progress('deploying the dairy pipeline');
    const deployed = deployOnce(
      dev.door,
      path.join(packageRoot(), dairy, 'pipeline.json'),
      path.join(flags.data, 'dairy-pipeline.json'),
    );
    await unlessAborted(deployed, stop.signal);
    output.endProgress();
    if (frames === null) output.note(welcome(dev));
    await runDemo(dev, flags, output.isJson, stop);
  } finally {
    output.endProgress();
    await dev.close();
  }
}

/** The four lines to copy. */
function welcome({ http, grpc }: DevCluster): string {
  const cows = "db.pool('/dairy/daily_yield').versions().where(o => o.key.endsWith('/cow_128'))";
  const address = grpc === '127.0.0.1:7401' ? '' : ` -a ${grpc}`;
  return [
    `dashboard   ${http}`,
    `a picture   curl --data-binary @cow.jpg -H 'content-type: image/jpeg' ${http}/v1/triggers/dairy/front_end/mine`,
    `a query     npx --no freshet${address} query "${cows}.orderBy(o => o.version).reverse().take(10)"`,
    `a put       npx --no freshet${address} put /dairy/daily_yield/cow_128 '{"litres": 14.2}'`,
    'Ctrl-C ends it; the data stays in its folder.',
  ].join('\n');
}

/** Herd and camera run as a process of their own, as clients do. */
async function runDemo(
  dev: DevCluster,
  flags: DevFlags,
  isJson: boolean,
  stop: Interruption,
): Promise<void> {
  const args = ['--address', dev.grpc, '--http', dev.http, '--fps', flags.fps];
  if (flags.frames !== undefined) args.push('--frames', flags.frames);
  if (isJson) args.push('--json');
  const child = spawnDemo(args);
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code) => {
      resolve(code ?? 1);
    });
  });
  const code = await Promise.race([ended, stop.promise]);
  if (code === null) {
    child.kill('SIGTERM');
    await ended;
    return;
  }
  if (code !== 0 && !stop.signal.aborted) {
    throw new FreshetError('INTERNAL', `The camera program ended with code ${String(code)}`, {
      mend: 'Its own message stands above',
    });
  }
}

function spawnDemo(args: readonly string[]): ChildProcess {
  const root = packageRoot();
  const entry = runsFromSources
    ? ['--import', 'tsx', path.join(root, dairy, 'demo', 'main.ts')]
    : [path.join(root, 'dist', dairy, 'demo', 'main.js')];
  return spawn(process.execPath, [...entry, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
}

interface Interruption {
  readonly promise: Promise<null>;
  readonly signal: AbortSignal;
}

/**
 * Resolves, and aborts its signal, at Ctrl-C, a request to end, or when the script that started
 * this is gone; the second Ctrl-C ends at once.
 */
function interruption(): Interruption {
  const controller = new AbortController();
  const promise = new Promise<null>((resolve) => {
    const onSignal = () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
      resolve(null);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.on('SIGHUP', onSignal);
    const lifeline = process.env['FRESHET_LIFELINE'];
    if (lifeline !== undefined) {
      // The number means something in this process only.
      delete process.env['FRESHET_LIFELINE'];
      new Socket({ fd: Number(lifeline) })
        .on('error', onSignal)
        .on('close', onSignal)
        .resume()
        .unref();
    }
  });
  return { promise, signal: controller.signal };
}
