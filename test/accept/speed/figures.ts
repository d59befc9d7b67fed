import {
  type Bar,
  figureChecks,
  least,
  most,
  never,
  ratioAtLeast,
  ratioAtMost,
} from '../figure-checks.ts';
import type { Check } from '../check.ts';

const perSecond = ' puts/s';
const stalled = 'stalled-loops';

const besideBare = ratioAtLeast(0.6, ' × the bare N-API get');
const besideLogs = ratioAtLeast(0.5, ' × three own logs');

const bars: readonly Bar[] = [
  { row: 'core-volatile-100', figure: 'core-volatile-100', judge: least(800_000, perSecond) },
  { row: 'core-persisted-100', figure: 'core-persisted-100', judge: least(200_000, perSecond) },
  {
    row: 'core-persisted-100',
    figure: 'core-persisted-100',
    judge: (name, figure) => besideLogs(`${name} beside own logs`, figure),
  },
  { row: 'core-persisted-10k', figure: 'core-persisted-10k', judge: least(15_000, perSecond) },
  {
    row: 'core-persisted-10k',
    figure: 'core-persisted-10k',
    judge: (name, figure) => besideLogs(`${name} beside own logs`, figure),
  },
  {
    row: 'core-one-put',
    figure: 'core-one-put worst rank p50',
    judge: ratioAtMost(1.7, ' × sleeping ping-pong'),
  },
  {
    row: 'core-one-persisted',
    figure: 'core-one-persisted worst rank p50',
    judge: ratioAtMost(1, ' × (1.7 × ping-pong + 1.5 × fdatasync)'),
  },
  { row: 'idle', figure: 'idle', judge: most(1.99, ' % of one core') },
  ...['delivered-1m', 'delivered-100m'].flatMap((row) => {
    const judge = ratioAtLeast(0.7, ' × raw TCP streams');
    return ['all send', 'one sends'].map((who) => ({ row, figure: `${row} ${who}`, judge }));
  }),
  { row: 'member-get', figure: 'member-get local', judge: least(1_500_000, ' gets/s') },
  { row: 'member-get', figure: 'member-get linearizable', judge: least(300_000, ' gets/s') },
  {
    row: 'member-get',
    figure: 'member-get local',
    judge: (name, figure) => besideBare(`${name} beside the addon's`, figure),
  },
  { row: 'grpc-stream', figure: 'grpc-stream', judge: least(300_000, perSecond) },
  { row: 'http-put', figure: 'http-put', judge: ratioAtLeast(0.7, " × fastify's echo") },
  ...['versions, 10^4 to 10^7', 'pools, 1 to 1000', 'shards of a member, 1 to 64'].map((what) => {
    return { row: 'growth', figure: `growth: ${what}`, judge: ratioAtMost(1.3, ' × with little') };
  }),
  { row: 'large-eight', figure: 'large-eight binomial', judge: ratioAtMost(1.3, ' × one copy') },
  {
    row: 'large-eight',
    figure: 'large-eight sequential',
    // Seven copies leave one host: what took less would be no sequential sending.
    judge: ratioAtLeast(6, ' × one copy'),
  },
  {
    row: 'large-eight',
    figure: 'large-eight blocks not as in the schedule',
    judge: never(0, ' blocks'),
  },
  { row: stalled, figure: 'stalled-loops put p99', judge: most(5, ' ms') },
  { row: stalled, figure: 'stalled-loops get p99', judge: most(5, ' ms') },
  { row: stalled, figure: 'stalled-loops watch p99', judge: most(5, ' ms') },
];

/** The figures of the issue, by the rows of the bench. */
export const figures: readonly Check[] = figureChecks(bars);
