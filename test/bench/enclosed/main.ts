/** The first process of an enclosure: measures one row, and with it all others end. */
import { repositoryRoot } from '../../support/repository.ts';
import { rows } from '../rows/all.ts';
import { runRow } from '../run-rows.ts';
import type { EnclosedOrder, EnclosedReport } from './orders.ts';

// Whoever started this is gone, however that came, and nobody else tidies up.
process.on('disconnect', () => {
  process.kill(-1, 'SIGKILL');
  process.exit(1);
});
process.once('message', (order: EnclosedOrder) => {
  void measure(order);
});

async function measure({ row: name, runs, quick }: EnclosedOrder): Promise<void> {
  const row = rows.find((one) => one.name === name);
  if (row === undefined) throw new Error(`the bench has no row ${name}`);
  const result = await runRow(row, runs, {
    root: repositoryRoot,
    quick,
    coreBench: () => Promise.reject(new Error('core_bench needs no enclosure')),
    say: (text) => void report({ type: 'say', text }),
  });
  await report({ type: 'measured', result });
  process.exit(0);
}

function report(message: EnclosedReport): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, () => {
      resolve();
    });
  });
}
