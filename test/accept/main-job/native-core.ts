import { join } from 'node:path';
import type { Check } from '../check.ts';
import { nativeLines } from '../native-program.ts';

/** What the native tests decide: protocol, log and store, on simulated network and disk too. */
export const nativeCore: Check = {
  point: '2 core',
  name: 'native-core',
  run: ({ root }) =>
    nativeLines(join(root, 'build', 'native'), [
      ['power cut at any write boundary, torn tail, bit flip named by place', 'recovery_test'],
      ['segments, group commit, failed sync, nearly full disk', 'log_test'],
      ['one order and nothing lost under simulated faults, with canaries', 'simulation_test'],
      ['retries under a session are applied once', 'session_table_test'],
      ['garbage and half frames at a shard', 'shard_fuzz_test'],
      ['transport over real sockets', 'tcp_transport_test'],
      ['versions, conditions, history, as-of reads', 'store_test'],
      ['checksums of both ways of computing them', 'checksum_test'],
    ]),
};
