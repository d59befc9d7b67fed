import { join } from 'node:path';
import type { Check } from '../check.ts';
import { nativeLines } from '../native-program.ts';

/** What the native tests decide: views, epochs, histories, on simulated network, disk and clock. */
export const nativeCore: Check = {
  point: 'simulation',
  name: 'native-core',
  run: ({ root }) =>
    nativeLines(join(root, 'build', 'native'), [
      ['views under crashes, pauses and cuts at every step', 'membership_test'],
      ['each rule of the membership that is broken is noticed', 'membership_canaries_test'],
      ['the model of the protocol: each rule has its canary', 'epoch_model_test'],
      ['the end of an epoch: wedge, trim, requeue', 'epoch_end_test'],
      ['one order and nothing lost under simulated faults', 'simulation_test'],
      ['damage found and mended, power cuts while mending', 'log_repair_test'],
      ['the bytes of views and their record', 'view_test'],
      ['who is taken for silent', 'failure_detector_test'],
      ['a first view begins without a lease', 'view_lease_test'],
      ['raw delivery under faults', 'raw_delivery_test'],
      ['strangers, secrets, clusters, versions, replayed handshakes', 'tcp_transport_test'],
      ['who is away is dialled again', 'tcp_dialling_test'],
    ]),
};
