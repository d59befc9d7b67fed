import {
  FreshetError,
  type NativeDoorInfo,
  SystemClock,
  SystemRandom,
} from '../../platform/base/mod.ts';
import type { Door } from '../../platform/client/mod.ts';
import type { NativeDoor } from '../../platform/client/native/native-door.ts';
import { openNative } from '../../platform/client/native/open-native.ts';

/** A native door that has no gRPC: what is not native fails. `fetch` tells it where members are. */
export async function openNativeOnly(fetch: () => Promise<NativeDoorInfo>): Promise<NativeDoor> {
  const refuse = (): never => {
    throw new FreshetError('INTERNAL', 'gRPC was used');
  };
  const grpc = {
    put: refuse,
    remove: refuse,
    get: refuse,
    stat: refuse,
    watch: refuse,
    triggerPut: refuse,
    close: async () => Promise.resolve(),
  } satisfies Partial<Door>;
  return openNative({
    grpc: grpc as Partial<Door> as Door,
    fetch,
    timeoutMs: 30_000,
    clock: new SystemClock(),
    random: new SystemRandom(),
    pause: async (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
  });
}
