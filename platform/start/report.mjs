// Lines on standard error: what is done and how long it took.

/** A failure that is told in one sentence, without a stack. */
export class Stop extends Error {
  /** @param {string} message @param {string} [output] what the failed program said last */
  constructor(message, output) {
    super(message);
    this.output = output || '';
  }
}

export function say(text) {
  process.stderr.write('freshet: ' + text + '\n');
}

export function now() {
  return Number(process.hrtime.bigint() / BigInt(1000000)) / 1000;
}

/** Announces a step, runs it, and tells its seconds. */
export async function step(name, run) {
  const start = now();
  say(name + ' …');
  const result = await run();
  say(name + ': ' + (now() - start).toFixed(1) + ' s');
  return result;
}

/** The last lines of a program's output. */
export function tail(text, lines) {
  return text.trim().split('\n').slice(-lines).join('\n');
}

/** The sentence for a file system that does not let us write; anything else as it is. */
export function asStop(error) {
  if (['EACCES', 'EROFS', 'EPERM'].indexOf(error.code) !== -1 && error.path) {
    return new Stop(
      error.path +
        ' cannot be written (' +
        error.code +
        '): give this user the right to write there, or clone into a folder of your own.',
    );
  }
  if (error.code === 'ENOSPC') {
    return new Stop('The disk is full: free 2 GB and try again.');
  }
  return error;
}
