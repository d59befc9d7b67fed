/**
 * `npm run test:rdma`: what needs real verbs, in a guest with software RDMA devices.
 *
 * The program that boots the guest is named by FRESHET_RDMA_VM, else it is
 * `../shared/rdma-vm/rdma-vm` beside the repository; where it is not, or its parts cannot be had,
 * everything is skipped with a line.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { programFile, repositoryRoot } from '../support/repository.ts';
import { runInherited } from './run-inherited.ts';

const guestSeconds = 1800;
const guestMemoryMb = 4096;
const conformance = join(repositoryRoot, 'build/native/test/transport_conformance_test');

process.exitCode = await main();

async function main(): Promise<number> {
  const given = process.env['FRESHET_RDMA_VM'];
  const tool = given ?? join(repositoryRoot, '../shared/rdma-vm/rdma-vm');
  if (!existsSync(tool)) {
    if (given !== undefined) throw new Error(`FRESHET_RDMA_VM names ${given}, which is not there`);
    say('Skipped: RDMA: there is no ../shared/rdma-vm; name its program in FRESHET_RDMA_VM');
    return 0;
  }
  if ((await runInherited(tool, ['prepare'])) !== 0) {
    say('Skipped: RDMA: the guest cannot be prepared');
    return process.env['FRESHET_TEST_REQUIRE'] === 'all' ? 1 : 0;
  }
  process.env['FRESHET_TEST_COMPILED'] = '1';
  const guest = ['run', '-t', String(guestSeconds), '-m', String(guestMemoryMb)];
  const words = [process.execPath, programFile('test/rdma/guest.ts'), conformance];
  return runInherited(tool, [...guest, '-e', 'FRESHET_TEST_COMPILED', '--', ...words]);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
