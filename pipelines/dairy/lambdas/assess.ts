/**
 * How likely is it that the cow that was just seen calves soon? From her last insemination and
 * the last ten records of her milk, as they were known when she was seen.
 */
import { readFile } from 'node:fs/promises';
import { defineLambda, json, Type } from '../../../udl/mod.ts';
import type { Database, Static } from '../../../udl/mod.ts';
import { knownCow, parseCoefficients, predictCalving } from '../risk/mod.ts';
import type { CowDay, Measured } from '../risk/mod.ts';
import { Assessment, InseminationValue, Sighting } from './values.ts';

/** Records of each kind that are asked for. */
const recordsMax = 10;

const MilkPool = Type.Object({
  pool: Type.String(),
  /** The field of the record that holds the number. */
  field: Type.String(),
});

const Config = Type.Object({
  coefficients: Type.String({ default: 'coefficients.json' }),
  /** Days, 1 is 24 hours; one that the coefficients were fitted for. */
  withinDays: Type.Integer({ minimum: 1, default: 1 }),
  inseminations: Type.String({ default: '/dairy/insemination' }),
  yields: { ...MilkPool, default: { pool: '/dairy/daily_yield', field: 'yield' } },
  fats: { ...MilkPool, default: { pool: '/dairy/daily_fat', field: 'fat' } },
  proteins: { ...MilkPool, default: { pool: '/dairy/daily_protein', field: 'protein' } },
});
type Config = Static<typeof Config>;

export default defineLambda({
  name: 'dairy/assess',
  version: '1',
  input: json(Sighting),
  emits: { risk: Assessment },
  config: Config,
  setup: async (ctx) =>
    parseCoefficients(JSON.parse(await readFile(ctx.asset(ctx.config.coefficients), 'utf8'))),
  async run(events, ctx) {
    const { withinDays } = ctx.config;
    for (const event of events) {
      if (event.kind === 'remove' || event.value.cow === null) continue;
      const { cow } = event.value;
      try {
        const known = await recordsOf(ctx.db, ctx.config, cow, event);
        // Of a cow that was never inseminated there is nothing to say.
        if (known === null) continue;
        const { probability, basis } = predictCalving(known, ctx.state, withinDays);
        event.emit.risk(cow, {
          cow,
          probability,
          withinDays,
          basis,
          daysSinceInsemination: known.daysSinceInsemination,
          parity: known.parity,
          daysSinceRecord: known.milk?.daysSinceRecord ?? null,
        });
      } catch (error) {
        event.fail(error);
      }
    }
  },
});

/** The store as of the commit of the sighting, its records as of the moment of the frame. */
async function recordsOf(
  db: Database,
  config: Config,
  cow: string,
  { time, eventTime }: { readonly time: number; readonly eventTime: number | null },
): Promise<CowDay | null> {
  const pool = db.pool(config.inseminations, json(InseminationValue));
  const newest = await pool.get(cow, { at: time });
  if (newest === null) return null;
  const [yields = [], fats = [], proteins = []] = await Promise.all(
    [config.yields, config.fats, config.proteins].map((of) => lastTen(db, of, cow, time)),
  );
  const records = { insemination: newest.value, yields, fats, proteins };
  return knownCow(records, eventTime ?? time);
}

async function lastTen(
  db: Database,
  { pool, field }: Static<typeof MilkPool>,
  cow: string,
  at: number,
): Promise<readonly Measured[]> {
  const key = `${pool}/${cow}`;
  const found = await db
    .pool<Record<string, unknown>>(pool)
    .versions({ at })
    .where((o) => o.key.eq(key))
    .orderBy((o) => o.version)
    .reverse()
    .take(recordsMax)
    .toArray();
  return found.flatMap(({ value, eventTime, time }) => {
    const number = value[field];
    return typeof number === 'number' ? [{ eventTime: eventTime ?? time, value: number }] : [];
  });
}
