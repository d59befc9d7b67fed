import { startBenchCluster } from './bench-cluster.ts';
import { Companion } from './child.ts';
import type { EchoOrder } from './echo/orders.ts';
import type { Row } from './row.ts';

const durationMs = { full: 3000, quick: 500 };
/** Unmeasured before each: programs that serve are compiled by then. */
const warmUpMs = { full: 2000, quick: 100 };
/** How long a row waits for one answer before it gives up. */
export const answerTimeoutMs = 20_000;

export interface DoorRow {
  readonly name: string;
  readonly method: string;
  readonly door: 'grpc' | 'http';
  /** What the echo beside it does, in words. */
  readonly echo: string;
  /** Puts into `/bench` at a local port for so long. Rejects when one is refused or unanswered. */
  readonly putsPerSecond: (port: number, ms: number) => Promise<number>;
}

/** Puts through a door of the first member; beside it the same client with an echo. */
export function doorRow({ name, method, door, echo: echoName, putsPerSecond }: DoorRow): Row {
  return {
    name,
    method,
    open: async (context) => {
      const { db, ports, close } = await startBenchCluster(context.folder);
      await db.createPool({ name: '/bench', kind: 'volatile', schema: 'raw' });
      const echo = new Companion('./echo/main', import.meta.url);
      const echoPort = await echo.ask({ open: door } satisfies EchoOrder, answerTimeoutMs);
      const [ms, warmMs] = context.quick
        ? [durationMs.quick, warmUpMs.quick]
        : [durationMs.full, warmUpMs.full];
      return {
        close: async () => {
          await echo.close();
          await close();
        },
        run: async () => {
          const measure = async (port: number): Promise<number> => {
            await putsPerSecond(port, warmMs);
            return putsPerSecond(port, ms);
          };
          const value = await measure(Number(ports[0]?.[door]));
          const raw = { name: echoName, value: await measure(Number(echoPort)) };
          return [{ name, unit: 'puts/s', value, raw }];
        },
      };
    },
  };
}
