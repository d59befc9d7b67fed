// What the agent puts into the inbox for the event loop, each with its row, in one order.
#include "native/agent/agent.h"

namespace freshet {

int Agent::step_messages() {
  if (!links_dirty_) return 0;
  const bool has_room = !shared_.inbox.is_full();
  const int work = links_.step(has_room, messages_);
  links_dirty_ = work > 0 || !has_room;
  lacks_inbox_ = lacks_inbox_ || !has_room;
  for (MemberMessage& message : messages_) {
    const Row row = make_row(RowKind::kMessage, message.from, message.bytes.size());
    shared_.inbox.put(std::move(message));
    rows_.push(row);
  }
  AgentCounters::add(shared_.counters.messages, messages_.size());
  messages_.clear();
  return work;
}

bool Agent::hand_over(uint64_t call, Bytes trigger) {
  if (shared_.inbox.is_full()) return false;
  shared_.inbox.put({config_.node, {trigger.begin(), trigger.end()}});
  rows_.push(make_row(RowKind::kTrigger, call));
  return true;
}

}  // namespace freshet
