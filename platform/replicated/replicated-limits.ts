import { check } from '../base/mod.ts';

/** The named maxima of the replicated room. Units stand last. */
const table = {
  /** Calls after which the state is written, so that none before it is run again. */
  snapshotCallsDefault: 1000,
  snapshotCallsMax: 10_000,
  /**
   * Versions of the calls that a volatile pool keeps beyond those: while a snapshot is on its way.
   */
  snapshotSlackCalls: 4096,
  /** Calls of one caller without an answer. */
  callsInFlight: 1024,
  /** A retry is recognized while fewer calls than this were run since its first try. */
  retryWindowCalls: 65_536,
  /** Pause before a call, a follower or a message is tried again. */
  retryPauseMs: 20,
  /** To which the pause of a follower grows that fails again and again. */
  followPauseMsMax: 1000,
  callTimeoutMsDefault: 10_000,
  /** Arguments of one call. */
  argumentBytes: 16 * 1024 * 1024,

  /** Messages of one member in a channel that others have not told to have. */
  unstableMessages: 4096,
  /** Bytes of one message of a channel, and messages that go to a member at once. */
  messageBytes: 1024 * 1024,
  messagesAtOnce: 32,
  /** Senders whose abcasts are known, so that none is delivered twice. */
  abcastSenders: 1024,
  /** How often members of a channel tell what they have, while something is not known. */
  channelTickMs: 10,
  /** Events that wait for one reader of a channel or a view. */
  waitingEvents: 65_536,
};

export const replicatedLimits: Readonly<typeof table> = Object.freeze(table);

check(
  replicatedLimits.callsInFlight < replicatedLimits.retryWindowCalls,
  'calls in flight stay within the window of retries',
);
check(
  replicatedLimits.snapshotCallsDefault <= replicatedLimits.snapshotCallsMax,
  'the default is allowed',
);
