/** A disk of a size that can be changed at any time: the way to a full one, and back. */
import { execFile } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KiB = 1024;
const attemptsMax = 100;

export class SmallDisk {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Mounts it at a folder, which is made. Needs the right to mount. */
  static async mount(folder: string, sizeBytes: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes(sizeBytes)}`, 'tmpfs', folder]);
    return new SmallDisk(folder);
  }

  /** Leaves so much free, whatever lies there. */
  async leave(freeBytes: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { blocks, bfree, bsize } = await statfs(this.#folder);
      const size = kibibytes((blocks - bfree) * bsize + freeBytes);
      try {
        await run('mount', ['-o', `remount,size=${size}`, this.#folder]);
        return;
      } catch (caught) {
        // What was written in between does not fit.
        if (attempt === attemptsMax) throw caught;
      }
    }
  }
}

function kibibytes(bytes: number): string {
  return `${String(Math.ceil(bytes / KiB))}k`;
}
