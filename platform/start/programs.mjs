// Runs other programs: tools whose output matters only when they fail, and the program that the
// start script hands over to, which must never outlive it.
import { spawn } from 'child_process';
import fs from 'fs';
import path from 'path';
import { Stop, tail } from './report.mjs';

const graceMs = 20000;
const sameSignalMs = 500;

/** The first of the names that is a program on the PATH, or null. */
export function findProgram(names) {
  const folders = (process.env.PATH || '').split(path.delimiter).filter(Boolean);
  for (const name of names) {
    for (const folder of folders) {
      const file = path.join(folder, name);
      try {
        fs.accessSync(file, fs.constants.X_OK);
        return file;
      } catch (error) {
        continue;
      }
    }
  }
  return null;
}

/** Runs a tool to its end; resolves with its exit code and everything it said. Never rejects. */
export function runTool(command, args, options) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: Object.assign({}, process.env, options.env || {}),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const release = endWith(child);
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => resolve({ code: 127, output: error.message }));
    // A tool that does not read its input may be gone before it is written.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input || '');
    child.on('close', (code, signal) => {
      release();
      const output = Buffer.concat(chunks).toString();
      resolve({ code: code === null ? 1 : code, output: output + (signal ? '\n' + signal : '') });
    });
  });
}

/** A signal that ends us ends the tool with all its children first. Returns what undoes this. */
function endWith(child) {
  const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    const handler = () => {
      killGroup(child, 'SIGKILL');
      process.exit(128 + signalNumber(signal));
    };
    process.once(signal, handler);
    return () => process.removeListener(signal, handler);
  });
  return () => handlers.forEach((remove) => remove());
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // Nothing of the group is left, or it was never started.
  }
}

/** As `runTool`, but a failure is told with the sentence and the tool's last lines. */
export async function runToolOrStop(command, args, options, sentence) {
  const result = await runTool(command, args, options);
  if (result.code !== 0) {
    throw new Stop(sentence, tail(result.output, 40));
  }
  return result.output;
}

/**
 * Runs a program on our terminal and resolves with its exit code.
 *
 * The program leads a process group of its own. A Ctrl-C reaches us more than once (from the
 * terminal and from npm) and the program exactly once, and whatever of its group is left when it
 * ends, or when it does not end in time, is killed. With `lifeline`, FRESHET_LIFELINE names a pipe
 * to which nothing is written: its end tells the program that we are gone, however we went.
 */
export function runProgram(command, args, options) {
  return new Promise((resolve, reject) => {
    const lifeline = options.lifeline ? { FRESHET_LIFELINE: '3' } : {};
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: Object.assign({}, process.env, options.env || {}, lifeline),
      stdio: ['inherit', 'inherit', 'inherit'].concat(options.lifeline ? ['pipe'] : []),
      detached: true,
    });
    const group = makeGroup(child);
    const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
      const handler = () => group.forward(signal);
      process.on(signal, handler);
      return () => process.removeListener(signal, handler);
    });
    process.once('exit', group.kill);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      group.kill();
      handlers.forEach((remove) => remove());
      resolve(code === null ? 128 + signalNumber(signal) : code);
    });
  });
}

function makeGroup(child) {
  let lastMs = -Infinity;
  let timer = null;
  const send = (signal) => killGroup(child, signal);
  return {
    forward: (signal) => {
      const nowMs = Date.now();
      if (nowMs - lastMs < sameSignalMs) {
        return;
      }
      lastMs = nowMs;
      // The leader alone ends its members in order; it is their parent.
      child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
      if (timer === null) {
        timer = setTimeout(() => send('SIGKILL'), graceMs);
        timer.unref();
      }
    },
    kill: () => send('SIGKILL'),
  };
}

function signalNumber(signal) {
  return { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15, SIGABRT: 6 }[signal] || 1;
}
