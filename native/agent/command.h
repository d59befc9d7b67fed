// What the event loop puts into the command ring for the agent.
//
// Thread: none; plain data.
#ifndef FRESHET_AGENT_COMMAND_H_
#define FRESHET_AGENT_COMMAND_H_

#include <functional>

#include "native/core/record.h"
#include "native/core/shard_replica.h"

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
  Change change() const {
    Change result;
    result.kind = kind;
    result.pool = pool;
    result.key = {tail(), key_length};
    result.meta = {tail() + key_length, meta_length};
    result.value = {borrows ? borrowed : tail() + key_length + meta_length, value_length};
    result.event_time = event_time;
    result.condition = condition;
    result.session = session;
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
