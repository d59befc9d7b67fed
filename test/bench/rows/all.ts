import type { Row } from '../row.ts';
import {
  coreOnePersisted,
  coreOnePut,
  corePersisted,
  corePersistedLarge,
  coreVolatileLarge,
  coreVolatileSmall,
  delivered1,
  delivered100,
} from './core-rows.ts';
import { cutCable } from './cut-cable.ts';
import { dairyFrames } from './dairy-frames.ts';
import { firstLine } from './first-line.ts';
import { grpcStream } from './grpc-stream.ts';
import { growth } from './growth.ts';
import { httpPut } from './http-put.ts';
import { idle } from './idle.ts';
import { joinState } from './join-state.ts';
import { largeEight } from './large-eight.ts';
import { memberGet } from './member-get.ts';
import { memberPut } from './member-put.ts';
import { restartLog } from './restart-log.ts';
import { slowMember } from './slow-member.ts';
import { slowMemberDelayed } from './slow-member-delayed.ts';
import { stalledLoops } from './stalled-loops.ts';
import { unaffectedShard } from './unaffected-shard.ts';
import { viewChange } from './view-change.ts';

/** In the order in which they run and are shown. */
export const rows: readonly Row[] = [
  coreVolatileSmall,
  coreVolatileLarge,
  corePersisted,
  corePersistedLarge,
  coreOnePut,
  coreOnePersisted,
  delivered1,
  delivered100,
  growth,
  memberPut,
  memberGet,
  largeEight,
  idle,
  firstLine,
  dairyFrames,
  grpcStream,
  httpPut,
  stalledLoops,
  viewChange,
  cutCable,
  unaffectedShard,
  slowMember,
  slowMemberDelayed,
  joinState,
  restartLog,
];
