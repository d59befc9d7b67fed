import { FreshetError, isFreshetError, type PutRequest } from '../../base/mod.ts';
import { json } from '../codec.ts';
import type { Door } from '../door.ts';
import { type ImportOptions, planImport } from './plan-import.ts';

/** How far an import is; given after every batch. */
export interface ImportProgress {
  readonly rows: number;
  readonly puts: number;
  readonly bad: number;
  /** Every row up to it is stored: a later run goes on from here. */
  readonly token: string | null;
}

export interface RunImportOptions extends ImportOptions {
  readonly onProgress: (progress: ImportProgress) => void;
  /** A row that was left out, and why. */
  readonly onBad: (line: number, reason: string) => void;
  readonly sleep: (ms: number) => Promise<void>;
}

const batchPuts = 512;
const retryMs = 200;
/** Tries of one batch; each put is the same put again, so a repeated one is one more version. */
const triesMax = 50;

/**
 * Imports a table: batches of puts, each row whole, in the order of the file. What was overloaded
 * or stopped is sent again; any other refusal ends the import with the token to go on from.
 */
export async function runImport(door: Door, options: RunImportOptions): Promise<ImportProgress> {
  const codec = json();
  let progress: ImportProgress = { rows: 0, puts: 0, bad: 0, token: options.from ?? null };
  let batch: PutRequest[] = [];
  let { rows, bad } = progress;
  const flush = async (token: string) => {
    await putAll(door, batch, options.sleep);
    progress = { rows, puts: progress.puts + batch.length, bad, token };
    batch = [];
    options.onProgress(progress);
  };
  let lastToken: string | null = null;
  for await (const item of planImport(options)) {
    if (item.kind === 'put') {
      const { key, value, eventTime } = item;
      const meta = { 'content-type': codec.contentType };
      batch.push({ key, value: codec.encode(value), eventTime, meta });
    } else if (item.kind === 'bad') {
      bad++;
      options.onBad(item.line, item.reason);
    } else {
      rows++;
      lastToken = item.token;
      if (batch.length >= batchPuts) await flush(item.token);
    }
  }
  if (lastToken !== null) await flush(lastToken);
  return progress;
}

/**
 * Sends until every put is stored; rejects with the first refusal that trying again does not mend.
 */
async function putAll(
  door: Door,
  puts: readonly PutRequest[],
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  let left = puts;
  for (let tries = 0; left.length > 0; tries++) {
    if (tries > 0) await sleep(retryMs);
    const results = await door.putMany(left);
    const again: PutRequest[] = [];
    for (const [i, result] of results.entries()) {
      if (!isFreshetError(result)) continue;
      if (!result.retryable || tries >= triesMax) throw named(result, left[i]);
      const put = left[i];
      if (put !== undefined) again.push(put);
    }
    left = again;
  }
}

function named(error: FreshetError, put: PutRequest | undefined): FreshetError {
  return new FreshetError(error.code, `${put?.key ?? 'A put'}: ${error.message}`, {
    mend: error.mend,
    cause: error,
  });
}
