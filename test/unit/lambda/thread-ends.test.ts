import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { transformSync } from 'esbuild';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Logger, ManualClock, silentLogger } from '../../../platform/base/mod.ts';
import { workerEntry } from '../../../platform/lambda/mod.ts';
import { NativeGate } from '../../../platform/lambda/native-gate.ts';
import { ThreadEnds } from '../../../platform/lambda/thread-ends.ts';
import {
  programArgs,
  readRepositoryFile,
  repositoryRoot,
  runProgram,
  tempFolder,
} from '../../support/mod.ts';

describe('ThreadEnds', () => {
  /** A thread that is inside a native call or not, and the ends that are asked to end it. */
  function setUp({ isInside }: { isInside: boolean }) {
    const clock = new ManualClock();
    const log: Logger = silentLogger();
    const warn = vi.spyOn(log, 'warn');
    const error = vi.spyOn(log, 'error');
    const gate = new NativeGate();
    if (isInside) new Int32Array(gate.shared)[0] = 1;
    const terminate = vi.fn(() => Promise.resolve(1));
    const limits = { nativeWarnMs: 5000, nativeTimeoutMs: 60_000 };
    const ends = new ThreadEnds({ lambda: 'slow', clock, log, limits });
    const end = () => ends.end({ gate, worker: { terminate } as unknown as Worker });
    const advance = async (ms: number) => {
      clock.advance(ms);
      // The timers' promises go on after their callbacks.
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { gate, terminate, ends, end, advance, warn, error };
  }

  it('ends a thread that is outside native calls at once', () => {
    const { end, terminate } = setUp({ isInside: false });
    void end();
    expect(terminate).toHaveBeenCalledOnce();
  });

  it('waits for a thread inside a native call, and says so when that takes long', async () => {
    const { end, ends, gate, terminate, advance, warn } = setUp({ isInside: true });
    void end();
    await advance(4999);
    expect(warn).not.toHaveBeenCalled();
    await advance(1);
    expect(warn).toHaveBeenCalledOnce();
    expect(terminate).not.toHaveBeenCalled();
    gate.markGone();
    await advance(100);
    expect(terminate).toHaveBeenCalledOnce();
    await ends.settle();
    expect(ends.leftBehind).toBe(0);
  });

  it('leaves a thread behind that does not come back, and ends it when it does', async () => {
    const { end, ends, gate, terminate, advance, error } = setUp({ isInside: true });
    const ended = end();
    await advance(60_000);
    await ended;
    await ends.settle();
    expect(terminate).not.toHaveBeenCalled();
    expect(ends.leftBehind).toBe(1);
    expect(error).toHaveBeenCalledOnce();
    gate.markGone();
    await advance(100);
    expect(terminate).toHaveBeenCalledOnce();
    expect(ends.leftBehind).toBe(0);
  });
});

describe('a thread at the closed gate', () => {
  /** A thread that counts each native call it makes, in the second word. */
  const program = () => {
    const source = readRepositoryFile('platform/lambda/native-gate.ts');
    const { code } = transformSync(source, { loader: 'ts', format: 'cjs' });
    return `
      ${code}
      const { workerData } = require('node:worker_threads');
      const gate = new NativeGate(workerData.gate);
      for (;;) gate.run(() => gate.run(() => Atomics.add(workerData.calls, 0, 1)));`;
  };

  it('makes no further native call, and can be ended where it parks', async () => {
    const gate = new NativeGate();
    const calls = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(program(), { eval: true, workerData: { gate: gate.shared, calls } });
    onTestFinished(async () => {
      await worker.terminate();
    });
    await expect.poll(() => Atomics.load(calls, 0)).toBeGreaterThan(1000);
    gate.close();
    await expect.poll(() => gate.isInside).toBe(false);
    const made = Atomics.load(calls, 0);
    // Time in which it made thousands before.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(Atomics.load(calls, 0)).toBe(made);
    expect(await worker.terminate()).toBe(1);
  });
});

describe('a member whose lambda is ended', () => {
  const model = JSON.stringify(join(repositoryRoot, 'pipelines/dairy/models/filter.onnx'));
  const session = `ort.InferenceSession.create(${model}, { intraOpNumThreads: 1 })`;
  /** A bundle; each of its lambdas goes on until it is ended. */
  const bundle = (setup: string, run: string) => `
    const { defineLambda, raw } = require('freshet/udl');
    exports.default = defineLambda({
      name: 'test/ended', version: '1', input: raw(), emits: {}, timeoutMs: 1000,
      async setup() { ${setup} },
      async run(events, { state }) { ${run} },
    });`;

  it.each([
    {
      where: 'in inference',
      startMs: 30_000,
      rounds: 6,
      code: bundle(
        `const ort = require('onnxruntime-node');
        const session = await ${session};
        const frame = new ort.Tensor('float32', new Float32Array(3 * 96 * 128), [1, 3, 96, 128]);
        return { session, feeds: { [session.inputNames[0]]: frame } };`,
        `for (;;) await state.session.run(state.feeds);`,
      ),
    },
    {
      where: 'while it loads a model',
      startMs: 1200,
      rounds: 2,
      code: bundle(`const ort = require('onnxruntime-node'); for (;;) await ${session};`, ''),
    },
    {
      where: 'in work on images',
      startMs: 30_000,
      rounds: 5,
      code: bundle(
        '',
        `const sharp = require('sharp');
        const raw = { width: 400, height: 400, channels: 3 };
        const one = async () => {
          for (;;) {
            await sharp(Buffer.alloc(480_000, 7), { raw }).resize(300, 300).jpeg().toBuffer();
            await sharp('/nowhere').metadata().catch(() => null);
          }
        };
        await Promise.all([one(), one(), one()]);`,
      ),
    },
  ])('lives on, $where', async ({ code, startMs, rounds }) => {
    const file = join(await tempFolder('ended'), 'lambda.cjs');
    await writeFile(file, code);
    // Kept here, as a program that is aborted removes nothing.
    const entry = workerEntry();
    onTestFinished(entry.dispose);
    const words = [entry.path, file, String(startMs), String(rounds)];
    const args = programArgs('test/unit/lambda/end-threads.ts', ...words);
    const home = await tempFolder('home');
    const { signal, stdout, stderr } = await runProgram(process.execPath, args, {
      cwd: repositoryRoot,
      // onnxruntime reports to its vendor unless it is told not to, or runs in somebody's CI.
      env: { HOME: home, XDG_CACHE_HOME: null, ORT_DISABLE_TELEMETRY: null, CI: null },
    });
    expect({ signal, stdout, stderr }).toEqual({ signal: null, stdout: 'alive\n', stderr: '' });
    expect(await readdir(home, { recursive: true })).toEqual([]);
  });
});
