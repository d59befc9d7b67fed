/** Starts the other programs of a training run and waits for them. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { basename } from 'node:path';

/** Debian's python3 sees Debian's torch; another python3 earlier on PATH does not. */
export const python = '/usr/bin/python3';

/** Runs a TypeScript program of this folder with the loader that runs this one. */
export function runProgram(file: string, args: readonly string[]): Promise<void> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return finished(process.execPath, [...process.execArgv, path, ...args], 'inherit').then(() => {});
}

/** Runs train.py and returns its last line of JSON; every line goes to `onLine` too. */
export async function runTraining(
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<Readonly<Record<string, unknown>>> {
  const script = fileURLToPath(new URL('train.py', import.meta.url));
  const output = await finished(python, ['-B', '-W', 'ignore', script, ...args], 'pipe', onLine);
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  const told: unknown = JSON.parse(last);
  if (typeof told === 'object' && told !== null) return told as Record<string, unknown>;
  throw new Error(`train.py ended with ${last}, not with its report`);
}

/** @throws with the mend when torch is missing */
export async function requireTorch(): Promise<void> {
  try {
    await finished(python, ['-c', 'import torch, numpy'], 'pipe');
  } catch (cause) {
    const mend = 'apt-get install --no-install-recommends python3-torch';
    throw new Error(`training needs PyTorch for ${python}: ${mend}`, { cause });
  }
}

function finished(
  command: string,
  args: readonly string[],
  output: 'inherit' | 'pipe',
  onLine: (line: string) => void = () => {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', output, 'pipe'] });
    let text = '';
    let errors = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const lines = chunk.split('\n').filter((line) => line !== '');
      for (const line of lines) onLine(line);
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      errors = (errors + chunk).slice(-4000);
      if (output === 'inherit') process.stderr.write(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${basename(command)} ${args.at(-1)} ended with ${code}: ${errors}`));
    });
  });
}
