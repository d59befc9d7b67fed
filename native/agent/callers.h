// Who asked a shard for something: the event loop, which hears by rows, or a client at the native
// door. Their tokens tell them apart.
//
// Thread: the agent's.
#ifndef FRESHET_AGENT_CALLERS_H_
#define FRESHET_AGENT_CALLERS_H_

#include "native/agent/row_output.h"
#include "native/core/check.h"
#include "native/core/outputs.h"

namespace freshet {

// Tokens and subscriptions from here on are the native door's; those of the event loop are safe
// integers of JavaScript.
inline constexpr Token kDoorTokens = Token{1} << 62;

// The other side of a caller at the native door.
class DoorAnswers {
 public:
  virtual ~DoorAnswers() = default;
  virtual void on_answer(const Completion& done) = 0;
  // The value that was borrowed under this token is not read any more.
  virtual void on_released(Token token) = 0;
};

class Callers {
 public:
  explicit Callers(RowOutput& rows) : rows_(rows) {}
  // Outlives all shards; null: there is no door.
  void set_door(DoorAnswers* door) { door_ = door; }

  void answer(const Completion& done) {
    if (done.token < kDoorTokens) return rows_.push(done);
    FRESHET_CHECK(door_ != nullptr);
    door_->on_answer(done);
  }
  void release(Token token) {
    if (token < kDoorTokens) return rows_.push(make_row(RowKind::kReleased, token));
    FRESHET_CHECK(door_ != nullptr);
    door_->on_released(token);
  }

 private:
  RowOutput& rows_;
  DoorAnswers* door_ = nullptr;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_CALLERS_H_
