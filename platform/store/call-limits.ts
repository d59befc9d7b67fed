import { type CallLimits, limits, timeoutOf } from '../base/mod.ts';
import type { ShardCallLimits } from './shard-access.ts';

/** `bytes`: of the value that goes with the call. */
export function callLimits({ timeoutMs, signal }: CallLimits, bytes = 0): ShardCallLimits {
  const wanted = timeoutMs ?? timeoutOf(bytes);
  return { timeoutMs: Math.min(wanted, limits.requestTimeoutMsMax), signal: signal ?? null };
}
