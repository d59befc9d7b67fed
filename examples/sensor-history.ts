/**
 * Streams sensor readings in and asks for them by version, by time and with LINQ.
 *
 *   npm start -- --no-pipeline        (in another terminal)
 *   npx tsx examples/sensor-history.ts
 */
import { connect, isFreshetError } from '../platform/client/mod.ts';

interface Reading {
  readonly celsius: number;
}

const db = await connect(process.argv[2] ?? '127.0.0.1:7401');
try {
  await db.createPool({ name: '/barn/temperature', kind: 'persistent' });
} catch (error) {
  if (!isFreshetError(error, 'POOL_EXISTS')) throw error;
}
const temperature = db.pool<Reading>('/barn/temperature');

// Three readings, each with its own version and time.
const first = await temperature.put('barn', { celsius: 12.5 });
await temperature.put('barn', { celsius: 13.1 });
const last = await temperature.put('barn', { celsius: 17.9 });

// Only if nobody wrote in between: the refusal is coded, not a surprise.
try {
  await temperature.put('barn', { celsius: 0 }, { expect: { versionOfKey: first.version } });
} catch (error) {
  if (!isFreshetError(error, 'CONDITION_FAILED')) throw error;
  console.log('refused:', error.message);
}

console.log('now:', (await temperature.get('barn'))?.value);
console.log('as of the first:', (await temperature.get('barn', { at: first.time }))?.value);

// The condition is recorded, sent to the shards and evaluated there.
const warm = await temperature
  .versions({ at: last.time })
  .where((o) => o.value.celsius.gt(13))
  .orderBy((o) => o.version)
  .reverse()
  .take(10)
  .toArray();
for (const { version, value } of warm)
  console.log(`version ${String(version)}: ${String(value.celsius)} °C`);
await db.close();
