// What a member of a World is doing, in the terms of native/core/README.md; see world_node.h.
#include <algorithm>

#include "test/native/simulation/world.h"

namespace freshet::test {

WorldStep WorldNode::step_now() const {
  const Membership* membership = this->membership();
  if (membership == nullptr || membership->view().number == 0) return told_step;
  const View& view = membership->view();
  for (const ViewMember& member : view.members) {
    const Membership* other = world_.at(member.id.node).membership();
    if (other != nullptr && other->me() == member.id && other->view().number < view.number)
      return WorldStep::kCommitted;
  }
  const bool pending = membership->proposal() != nullptr;
  if (pending && transport_->shown(ViewRow::kPrepared) == membership->vote())
    return WorldStep::kPrepared;
  WorldStep step = membership->suspects() != 0 ? WorldStep::kSuspecting : WorldStep::kIdle;
  if (pending) step = WorldStep::kAcked;
  for (size_t i = 0; i < view.shards.size(); i++) {
    ShardHost* mine = host(view.shards[i].shard);
    if (mine == nullptr || !mine->is_running() || mine->epoch() != view.shards[i].epoch) continue;
    const EndPhase phase = mine->replica()->end_phase();
    WorldStep its = step;
    if (phase == EndPhase::kWedged) {
      const bool trimmed = transport_->shown(ViewRow::trim_of(i) + 1) == view.shards[i].epoch;
      its = trimmed ? WorldStep::kTrimmed : WorldStep::kWedged;
    } else if (phase != EndPhase::kRunning) {
      its = WorldStep::kDelivering;
    }
    step = std::max(step, its);
  }
  // What its event loop does beside a view that runs.
  return step == WorldStep::kIdle ? told_step : step;
}

std::string WorldNode::describe() const {
  std::string text = "  node " + std::to_string(node_);
  const Membership* membership = this->membership();
  if (membership == nullptr) return text + (starting ? " starts" : " is down");
  const View& view = membership->view();
  text += " step " + std::to_string(static_cast<int>(step_now())) + " view " +
          std::to_string(view.number) + " members " + std::to_string(view.seats()) + " suspects " +
          std::to_string(membership->suspects()) + " attempt " +
          std::to_string(membership->attempt());
  if (const View* next = membership->proposal())
    text += " next " + std::to_string(next->number) + " members " + std::to_string(next->seats());
  for (const WorldShard& shard : world_.config.shards) {
    ShardHost* mine = host(shard.shard);
    if (mine == nullptr || mine->replica() == nullptr) continue;
    text += "\n    shard " + std::to_string(shard.shard) + " epoch " +
            std::to_string(mine->epoch()) + " phase " +
            std::to_string(static_cast<int>(mine->replica()->end_phase())) +
            (mine->is_running() ? " runs" : " stands");
    if (mine->store() != nullptr)
      text += " version " + std::to_string(mine->store()->newest_version());
  }
  return text + (paused_ ? " paused" : "");
}

}  // namespace freshet::test
