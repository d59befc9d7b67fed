/** The demo's own herd: rendered cows, enrolled by their pictures, with made-up records. */
import type { Database } from '../../../platform/client/mod.ts';
import { dayOf, image, json, raw } from '../../../platform/client/mod.ts';
import { enrolmentPictures, enrolmentRequests, herdOf, renderFrame } from '../camera/mod.ts';
import { generateHerd, toPuts } from '../records/mod.ts';

/** cow_101 … cow_132. */
const herdSize = 32;
const firstName = 101;
const recordedDays = 400;
const recordSeed = 5412;
/** Records of days long past are of no use to anybody; so many newest ones are written. */
const writtenDays = 30;
const putsAtOnce = 256;

export interface DemoHerd {
  /** Seed of each cow's coat; a camera names a cow by its index here. */
  readonly cowSeeds: readonly number[];
  readonly names: readonly string[];
}

export function demoHerd(): DemoHerd {
  const cows = herdOf(herdSize);
  return {
    cowSeeds: cows.map(({ cowSeed }) => cowSeed),
    names: cows.map((_, index) => `cow_${String(firstName + index)}`),
  };
}

/** Enrols the herd and writes its records, unless that was done before. */
export async function settleHerd(
  db: Database,
  herd: DemoHerd,
  nowUs: number,
  onProgress: (text: string) => void,
): Promise<void> {
  const enrolled = new Set<string>();
  for await (const name of db.pool('/dairy/enrolled', raw()).list()) enrolled.add(name);
  const missing = herd.names.flatMap((name, index) =>
    Array.from({ length: enrolmentPictures }, (_, picture) => ({ name, index, picture })).filter(
      ({ picture }) => !enrolled.has(`${name}/${String(picture)}`),
    ),
  );
  if (missing.length === 0) return;
  await writeRecords(db, herd, nowUs, onProgress);
  await enrol(db, herd, missing, onProgress);
}

async function enrol(
  db: Database,
  herd: DemoHerd,
  missing: readonly { readonly name: string; readonly index: number; readonly picture: number }[],
  onProgress: (text: string) => void,
): Promise<void> {
  const awaited = new Set(missing.map(({ name, picture }) => `${name}/${String(picture)}`));
  const abort = new AbortController();
  const watching = (async () => {
    const options = { from: 'start', signal: abort.signal };
    for await (const { object } of db.pool('/dairy/enrolled', raw()).watch(options)) {
      awaited.delete(object.key.slice('/dairy/enrolled/'.length));
      onProgress(
        `enrolling the herd: ${String(missing.length - awaited.size)} of ${String(missing.length)}`,
      );
      if (awaited.size === 0) return;
    }
  })();
  const pictures = db.pool('/dairy/enrol', image());
  for (const { name, index, picture } of missing) {
    const request = enrolmentRequests(herd.cowSeeds[index] ?? 0)[picture];
    if (request === undefined) continue;
    const { jpeg } = await renderFrame(request);
    await pictures.triggerPut(`${name}/${String(picture)}`, jpeg);
  }
  await watching;
  abort.abort();
}

async function writeRecords(
  db: Database,
  herd: DemoHerd,
  nowUs: number,
  onProgress: (text: string) => void,
): Promise<void> {
  const today = dayOf(nowUs);
  const records = generateHerd({
    cows: herd.names.map((name) => ({ name: name.slice('cow_'.length) })),
    firstDay: today - recordedDays,
    lastDay: today - 1,
    seed: recordSeed,
  });
  const isWritten = ({ kind, day }: (typeof records)[number]) =>
    kind !== 'milk' || day >= today - writtenDays;
  const puts = records.filter(isWritten).flatMap((record) => toPuts(record));
  const codec = json();
  for (let done = 0; done < puts.length; done += putsAtOnce) {
    onProgress(`writing milk records: ${String(done)} of ${String(puts.length)}`);
    const results = await db.door.putMany(
      puts.slice(done, done + putsAtOnce).map(({ key, value, eventTime }) => ({
        key,
        value: codec.encode(value),
        eventTime,
        meta: { 'content-type': codec.contentType },
      })),
    );
    for (const result of results) if (result instanceof Error) throw result;
  }
}
