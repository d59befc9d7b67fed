import type * as plan from '../../../platform/group/restart-plan.ts';
import { decodeView, nodesOf } from '../../../platform/group/view-codec.ts';

type Plan = typeof plan;
type Reports = plan.Reports;

/** Rules of a restart that can be left out, to see that somebody notices. */
export const rules = [
  'number-plus-two',
  'offers-noted',
  'prepared-records-count',
  'majority-asked',
  'base-takes-part',
  'adopted-is-noted',
  'adopted-is-newest',
  'complete-holders-only',
  'longest-history',
  'histories-filled',
] as const;

export type Rule = (typeof rules)[number];

/** The plan of a restart, but for the rules that are left out at the moment. */
export function planWithout(whole: Plan, isLeftOut: (rule: Rule) => boolean): Plan {
  return {
    ...whole,
    newestView: (reports) => {
      const known = isLeftOut('adopted-is-newest') ? withoutAdoptions(reports) : reports;
      const seen = isLeftOut('prepared-records-count') ? withoutPrepared(known) : known;
      const found = whole.newestView(seen);
      return 'waitsFor' in found && isLeftOut('majority-asked') ? newestOf(seen) : found;
    },
    participantsOf: (layout, { base, view, ballot }, reports) => {
      const left = isLeftOut('base-takes-part');
      return whole.participantsOf(layout, { base: left ? view : base, view, ballot }, reports);
    },
    adoptionOf: (lineage) => (isLeftOut('adopted-is-noted') ? null : whole.adoptionOf(lineage)),
    nextNumber: (before, reports) => {
      const offered = isLeftOut('offers-noted') ? withoutOffers(reports) : reports;
      const number = whole.nextNumber(before, offered);
      const isBare = before !== null && number === before.number + 2;
      return isLeftOut('number-plus-two') && isBare ? number - 1 : number;
    },
    holdersOf: (layout, lineage, participants, reports) => {
      const { view: before } = lineage;
      const core = before?.shards.find(({ shard }) => shard === layout.shard);
      const open = before !== null && core?.closed === false;
      if (!open || !isLeftOut('complete-holders-only')) {
        return whole.holdersOf(layout, lineage, participants, reports);
      }
      const here = nodesOf(before, core).filter((node) => participants.includes(node));
      return here.length === 0 ? null : here;
    },
    longestOf: (holders, reportOf) => {
      const node = holders[0] as number;
      return isLeftOut('longest-history')
        ? { node, report: reportOf(node) }
        : whole.longestOf(holders, reportOf);
    },
    fillsFrom: (layout, donor, participants, reportOf) =>
      isLeftOut('histories-filled')
        ? new Map()
        : whole.fillsFrom(layout, donor, participants, reportOf),
    needsFill: (layout, donor, mine) =>
      !isLeftOut('histories-filled') && whole.needsFill(layout, donor, mine),
  };
}

function withoutPrepared(reports: Reports): Reports {
  return new Map([...reports].map(([node, report]) => [node, { ...report, prepared: '' }]));
}

function withoutAdoptions(reports: Reports): Reports {
  return new Map([...reports].map(([node, report]) => [node, { ...report, adoptedAt: 0 }]));
}

function withoutOffers(reports: Reports): Reports {
  return new Map([...reports].map(([node, report]) => [node, { ...report, offered: 0 }]));
}

function newestOf(reports: Reports): plan.Lineage {
  const views = [...reports.values()]
    .filter(({ committed }) => committed !== '')
    .map(({ committed }) => decodeView(Buffer.from(committed, 'base64')));
  const view = views.reduce((best, next) => (next.number > best.number ? next : best));
  return { base: view, view, ballot: 0n };
}
