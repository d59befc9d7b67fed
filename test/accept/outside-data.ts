import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Below FRESHET_TEST_DATA, else ../shared/data beside the repository; null: it is not there. */
export function outsideData(root: string, ...parts: readonly string[]): string | null {
  const folder = process.env['FRESHET_TEST_DATA'] ?? join(root, '..', 'shared', 'data');
  const path = join(folder, ...parts);
  return existsSync(path) ? path : null;
}
