/** What a program that is itself a member imports as `freshet/member`. */
export { FreshetError, isFreshetError } from '../base/mod.ts';
export type { ErrorCode } from '../base/mod.ts';
export type {
  CallContext,
  CallKind,
  CallOutcome,
  CastOrder,
  ChannelEvent,
  ChannelSettings,
  OpenOptions,
  ReplicatedClass,
  ViewEvent,
} from '../replicated/mod.ts';
export { Channel, Replicated, ReplicatedObject } from '../replicated/mod.ts';
export type { LocalProgram, MemberCall, MemberCalls, ProgramCluster } from './local-program.ts';
export { memberEnvironment, runLocalProgram, toCluster } from './local-program.ts';
export { ProgramMember, startMember } from './program-member.ts';
