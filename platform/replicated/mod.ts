export type { CallOutcome, ReplicatedClass } from './call-types.ts';
export type { CallContext, CallKind } from './replicated.ts';
export { Replicated } from './replicated.ts';
export type { HostOptions, OpenOptions } from './replicated-host.ts';
export { ReplicatedHost } from './replicated-host.ts';
export { ReplicatedObject } from './replicated-object.ts';
export type { ViewEvent, ViewSource } from './view-events.ts';
export { currentView, watchViews } from './view-events.ts';
