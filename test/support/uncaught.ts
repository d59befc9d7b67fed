import { setImmediate as turn } from 'node:timers/promises';

/** What nobody caught while `work` ran; elsewhere that ends a member, and fails a test. */
export async function uncaughtIn(work: () => unknown): Promise<readonly unknown[]> {
  const uncaught: unknown[] = [];
  const note = (error: unknown): void => {
    uncaught.push(error);
  };
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', note);
  try {
    await work();
    // Node tells of them once a turn's promises have run.
    await turn();
  } finally {
    process.off('unhandledRejection', note);
    for (const other of others) process.on('unhandledRejection', other);
  }
  return uncaught;
}
