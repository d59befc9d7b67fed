// The end of an epoch; see epoch_end.h.
#include "native/core/check.h"
#include "native/core/shard_replica_impl.h"

namespace freshet {

void ShardReplica::Impl::wedge() {
  frontiers_.wedged.store(true, std::memory_order_release);
  end_.wedge();
}

void ShardReplica::Impl::suspect(NodeId peer) {
  end_.suspect(rank_of(config_.members, peer));
  if (!end_.running()) wedge();
}

void ShardReplica::Impl::step_end(Outputs& out) {
  const Rank broken = end_.step(survivors_);
  answers_.fail_readers(Status::kNotCurrent, out);
  if (broken < config_.members.size()) fail(broken, RingFault::kRow, out);
}

// What every survivor has, in the order that it would have had; the rest is skipped. The table says
// no more how far this is: sequences have gaps now.
int ShardReplica::Impl::deliver_trim(Outputs& out) {
  if (end_.phase() == EndPhase::kEnded) return 0;
  const uint64_t before = delivered_;
  const uint64_t all = end_.sequences();
  size_t cost = 0;
  while (delivered_ < all && cost < kPassBytes) {
    if (streams_[turn_].delivered() >= end_.trim(turn_)) {
      pass_turn();
    } else if (!deliver_turn(cost, out)) {
      return 1;
    }
  }
  (void)show_delivery(before);
  if (delivered_ >= all) end_.delivered_all();
  return 1;
}

bool ShardReplica::Impl::is_prepared() const {
  return end_.phase() == EndPhase::kEnded && (!config_.persistent || synced_ == delivered_);
}

void ShardReplica::Impl::confirm(Outputs& out) {
  FRESHET_CHECK(is_prepared());
  if (config_.persistent) publish_persisted(delivered_);
  answer(out);
}

}  // namespace freshet
