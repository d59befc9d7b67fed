// What the event loop puts into the command ring for the agent.
//
// Thread: none; plain data.
#ifndef FRESHET_AGENT_COMMAND_H_
#define FRESHET_AGENT_COMMAND_H_

#include <functional>

#include "native/agent/submission.h"

namespace freshet {

class Agent;

enum class CommandType : uint32_t {
  kTask = 1,           // AgentCall*, owned by whoever takes it out
  kSubmit = 2,         // SubmitCommand, then key, meta and value
  kWaitCurrent = 3,    // WaitCommand
  kSetDispatched = 4,  // DispatchedCommand
};

// Anything that is not on the data path.
using AgentCall = std::function<void(Agent&)>;

struct SubmitCommand {
  Token token;
  Condition condition;
  SessionStamp session;
  Micros event_time;
  const std::byte* borrowed;  // the value, if it is not copied
  ShardId shard;
  PoolId pool;
  uint32_t value_length;
  uint16_t key_length;
  uint16_t meta_length;
  RecordKind kind;
  Ack ack;
  bool borrows;

  const std::byte* tail() const { return reinterpret_cast<const std::byte*>(this + 1); }
  size_t tail_size() const {
    return size_t{key_length} + meta_length + (borrows ? 0 : size_t{value_length});
  }
  // Borrows what follows this in the ring.
  Submission submission() const {
    Submission result;
    Change& change = result.change;
    change.kind = kind;
    change.pool = pool;
    change.key = {tail(), key_length};
    change.meta = {tail() + key_length, meta_length};
    change.value = {borrows ? borrowed : tail() + key_length + meta_length, value_length};
    change.event_time = event_time;
    change.condition = condition;
    change.session = session;
    result.ack = ack;
    result.token = token;
    result.borrows = borrows;
    return result;
  }
};

struct WaitCommand {
  Token token;
  ShardId shard;
  bool persisted;
};

struct DispatchedCommand {
  Version version;
  ShardId shard;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_COMMAND_H_
