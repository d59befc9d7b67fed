import { type ErrorCode, errorCodes, isErrorCode } from '../base/mod.ts';
import { type FabricReport, type TransportName, transportKinds } from '../bridge/mod.ts';

/** Whether members can use a transport on this machine, and what it is made of. */
export interface TransportState {
  readonly transport: TransportName;
  /** What a member that is given it would be refused with; null: nothing. */
  readonly refusal: ErrorCode | null;
  /** What is there and what is missing, a line each. */
  readonly facts: readonly string[];
  /** What to do about a refusal. */
  readonly mend: string | null;
}

/** The part of the addon that looks. */
export interface FabricInspector {
  readonly statusNames: readonly string[];
  inspectFabric(kind: number, host: string): FabricReport;
}

/** State of one transport for a member that listens at `host`, a numeric address. */
export function transportState(
  addon: FabricInspector,
  transport: TransportName,
  host: string,
): TransportState {
  if (transport === 'tcp') {
    return { transport, refusal: null, facts: ['built in'], mend: null };
  }
  const report = addon.inspectFabric(transportKinds[transport], host);
  const name = addon.statusNames[Math.abs(report.status)] ?? '';
  const refusal = isErrorCode(name) ? name : 'INTERNAL';
  return {
    transport,
    refusal: report.status === 0 ? null : refusal,
    facts: factsOf(report, host),
    mend: report.status === 0 ? null : mendOf(report, refusal),
  };
}

function factsOf(report: FabricReport, host: string): string[] {
  if (!report.compiled) return ['built without it: the headers of libfabric were not there'];
  if (report.library === '') return ['libfabric.so.1 (1.17 or newer) is not here'];
  const facts = [`libfabric ${report.library}`];
  if (report.domain === '') return [...facts, `no device of this provider at ${host}`];
  const order = report.ordered ? 'keeps writes in order' : 'does not promise the order of writes';
  facts.push(`device ${report.domain}`, order);
  if (report.pins) facts.push(`memory that may be locked: ${bytesOf(report.memlock)}`);
  return facts;
}

function mendOf(report: FabricReport, refusal: ErrorCode): string {
  if (!report.compiled) return 'Install libfabric-dev and build Freshet again';
  if (report.library === '') return 'Install libfabric1';
  if (refusal === 'NO_FABRIC') return 'Give the address of a device, or use another transport';
  return errorCodes[refusal].mend;
}

function bytesOf(bytes: number): string {
  return Number.isFinite(bytes) ? `${String(Math.floor(bytes / 1024 / 1024))} MiB` : 'any';
}
