/** Makes the native door of a client that speaks gRPC with the same members. */
import type { Clock, NativeDoorInfo, Random } from '../../base/mod.ts';
import { loadAddon, Placement } from '../../bridge/mod.ts';
import type { Door } from '../door.ts';
import { MemberDoors } from './member-doors.ts';
import { NativeDoor } from './native-door.ts';
import { TopologyKeeper } from './topology.ts';

export interface OpenNativeOptions {
  readonly grpc: Door;
  /** As a member tells it, whichever answers. */
  readonly fetch: () => Promise<NativeDoorInfo>;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly pause: (delayMs: number) => Promise<void>;
}

/** A connection with a member is waited for so long; meanwhile calls wait for it, or take gRPC. */
const firstConnectionMs = 1000;

/**
 * Resolves once a member is connected, or none is at once. Rejects NATIVE_MISSING: the addon, whose
 * hash places keys, cannot be loaded; UNSUPPORTED: the members have no native doors.
 */
export async function openNative(options: OpenNativeOptions): Promise<NativeDoor> {
  const { fetch, clock, random } = options;
  const addon = loadAddon();
  const { statusNames } = addon;
  const doors: MemberDoors = new MemberDoors({
    statusNames,
    dial: (host, port) => addon.dial(host, port),
    clock,
    random,
    onView: (view) => {
      topology.onView(view);
    },
    onLost: () => {
      topology.refresh();
    },
  });
  const topology: TopologyKeeper = new TopologyKeeper({
    fetch,
    placement: new Placement(addon),
    clock,
    turn: random.u32(),
    onChange: (now) => {
      doors.follow(now);
    },
  });
  await topology.load();
  if (topology.current?.isComplete === false) topology.refresh();
  await doors.whenAny(firstConnectionMs);
  return new NativeDoor({ ...options, doors, topology, statusNames });
}
