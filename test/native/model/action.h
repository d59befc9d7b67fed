// One atomic step of the model: of a member, of the network, or a fault.
#ifndef FRESHET_TEST_NATIVE_MODEL_ACTION_H_
#define FRESHET_TEST_NATIVE_MODEL_ACTION_H_

#include <string>

#include "test/native/model/state.h"

namespace freshet::model {

enum class Kind : Byte {
  kTick,        // a: a node whose clock lags, or kNodes
  kArrive,      // a: from, b: to
  kHeartbeat,   // a; writes a new stamp and echoes
  kSend,        // a
  kReceive,     // a: receiver, b: sender
  kDeliver,     // a; one sequence
  kPersist,     // a
  kShow,        // a; acknowledges what is persisted everywhere
  kStartRead,   // a
  kFinishRead,  // a
  kSuspect,     // a: who, b: whom
  kShareSuspicion,
  kDropLease,
  kNewAttempt,
  kJoinAttempt,
  kPropose,  // a: leader, b: Change, c: node
  kAcknowledge,
  kRelease,  // a: who, b: whom
  kTrim,
  kCopyTrim,
  kDeliverTrim,
  kPrepare,
  kCommit,
  kInstall,
  kCrash,
  kBoot,
  kMeet,  // a: any of them, b: all present
  kRestartFill,
  kRestartAdopt,
  kRestartPrepare,
  kRestartCommit,
  kAbandonRestart,
};
inline constexpr int kKinds = static_cast<int>(Kind::kAbandonRestart) + 1;

// What a proposal does besides removing the suspected.
enum class Change : Byte { kNone, kJoinView, kJoinShard, kLeaveShard, kLeaveView, kJoinAll };
inline constexpr int kChanges = 6;

struct Action {
  Kind kind;
  Byte a = 0;
  Byte b = 0;
  Byte c = 0;
};

std::string text_of(const Action& action);

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_ACTION_H_
