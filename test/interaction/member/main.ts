/** The process of one member of a scenario: it serves, and its event loop can be stopped. */
import { decodeView } from '../../../platform/group/view-codec.ts';
import { type ParentCall, runMemberProcess } from '../../../platform/member-process.ts';
import type { Member } from '../../../platform/node.ts';
import {
  nativeDoorOf,
  type ServingOptions,
  servingPart,
  type ServingPorts,
} from '../../../platform/serving.ts';
import type { MemberLook, StallOrder, StallReport } from './orders.ts';

let ports: ServingPorts | null = null;

/** The members of the view that the native threads have installed, by node id. */
function installed({ core }: Member): readonly number[] {
  const view = core.addon.view(core.handle)?.installed ?? null;
  return view === null ? [] : decodeView(view).members.map(({ node }) => node);
}

const look: ParentCall = (member) => {
  const { number, running, members, problem } = member.group.view;
  const leader = members.find(({ leads }) => leads)?.id ?? null;
  const answer: MemberLook = { number, running, leader, problem, members: installed(member) };
  return Promise.resolve(answer);
};

/**
 * Stops the event loop, and with it everything that is decided in TypeScript: for `leastMs`, and on
 * until the native threads have installed a view without `without`, at most `mostMs`. Nothing of
 * this process's JavaScript runs in between, so what is reported is the native threads' doing.
 */
const stall: ParentCall = async (member, argument) => {
  const { leastMs, mostMs, without } = argument as StallOrder;
  await new Promise((resolve) => process.send?.({ type: 'stalls' }, resolve));
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const begin = performance.now();
  const past = () => performance.now() - begin;
  while (past() < leastMs || (past() < mostMs && installed(member).includes(without))) {
    Atomics.wait(cell, 0, 0, 20);
  }
  const report: StallReport = { members: installed(member), ms: past() };
  return report;
};

runMemberProcess({
  parts: (extra) => [
    servingPart(extra as ServingOptions, (opened) => {
      ports = opened;
    }),
  ],
  nativeDoor: (extra) => nativeDoorOf(extra as ServingOptions),
  info: () => ports,
  calls: { look, stall },
});
