import { readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ParentCall, runMemberProcess } from '../../platform/member-process.ts';
import { type ServingOptions, servingPart, type ServingPorts } from '../../platform/serving.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What `put` puts; there before anything is weighed. */
let value = new Uint8Array(0);
let ports: ServingPorts | null = null;

/** Of this process, in bytes, as Linux counts it. */
function memoryOf(field: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync('/proc/self/status', 'utf8');
  return 1024 * Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1]);
}

const calls: Readonly<Record<string, ParentCall>> = {
  makeValue: (_member, argument) => {
    const { bytes, fill } = argument as { readonly bytes: number; readonly fill: number };
    value = new Uint8Array(bytes).fill(fill);
    return Promise.resolve(null);
  },
  put: (member, key) => member.store.objects.put({ key: key as string, value }),
  /** Forgets how much memory this process ever had; what it has now. */
  settle: () => {
    collectGarbage();
    writeFileSync('/proc/self/clear_refs', '5');
    return Promise.resolve(memoryOf('VmRSS'));
  },
  /** The most since it settled. */
  peak: () => Promise.resolve(memoryOf('VmHWM')),
};

runMemberProcess({
  calls,
  parts: (extra) => [
    servingPart(extra as ServingOptions, (opened) => {
      ports = opened;
    }),
  ],
  info: () => ports,
});
