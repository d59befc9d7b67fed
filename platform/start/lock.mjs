// One build at a time in one folder: a file that holds the builder's process number.
import fs from 'fs';
import path from 'path';
import { say } from './report.mjs';

const pollMs = 250;

/** Runs `work` alone; waits for another builder, and takes over from one that died. */
export async function withBuildLock(root, work) {
  const file = path.join(root, 'build', 'lock');
  fs.mkdirSync(path.dirname(file), { recursive: true });
  let told = false;
  while (!take(file)) {
    const owner = readOwner(file);
    if (owner !== null && !isAlive(owner)) {
      remove(file);
      continue;
    }
    if (!told) {
      say('waiting for the build of process ' + owner + ' in this folder');
      told = true;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  const release = () => {
    if (readOwner(file) === process.pid) {
      fs.unlinkSync(file);
    }
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    release();
    process.removeListener('exit', release);
  }
}

function take(file) {
  try {
    fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

/** The owner's process number, or null while it is being written or was just removed. */
function readOwner(file) {
  try {
    const pid = Number(fs.readFileSync(file, 'utf8'));
    return pid > 0 ? pid : null;
  } catch (error) {
    return null;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function remove(file) {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if (error.code !== 'ENOENT') {
      throw error;
    }
  }
}
