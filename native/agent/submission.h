// A change on its way to a shard, from the event loop or from a client at the native door.
//
// Thread: none; plain data.
#ifndef FRESHET_AGENT_SUBMISSION_H_
#define FRESHET_AGENT_SUBMISSION_H_

#include "native/core/record.h"
#include "native/core/shard_replica.h"

namespace freshet {

struct Submission {
  Change change;  // its bytes are good for the call that takes it
  Ack ack = Ack::kDelivered;
  Token token = 0;
  bool borrows = false;  // the value stays where it lies until its token is released
};

}  // namespace freshet

#endif  // FRESHET_AGENT_SUBMISSION_H_
