// The end of an epoch; see epoch_end.h.
#include "native/core/canary.h"
#include "native/core/check.h"
#include "native/core/shard_replica_impl.h"

namespace freshet {

void ShardReplica::Impl::wedge() {
  frontiers_.wedged.store(true, std::memory_order_release);
  end_.wedge();
}

void ShardReplica::Impl::suspect(NodeId peer) { table_.freeze(rank_of(config_.members, peer)); }
void ShardReplica::Impl::trust(NodeId peer) { table_.thaw(rank_of(config_.members, peer)); }

bool ShardReplica::Impl::least_received(const std::vector<NodeId>& survivors,
                                        MessageCounts& least) const {
  RankSet ranks = 0;
  for (const NodeId node : survivors) ranks |= RankSet{1} << rank_of(config_.members, node);
  return end_.least_received(ranks, least);
}

void ShardReplica::Impl::take_trim(const MessageCounts& trim, Outputs& out) {
  if (stopped_ != Status::kOk) return;
  FRESHET_CHECK(!end_.running());
  MessageCounts taken = trim;
  for (size_t s = 0; breaks(CoreCanary::kNoTrim) && s < streams_.size(); s++)
    taken[s] = received_[s];
  if (!end_.take_trim(taken)) fail(me_, RingFault::kRow, out);
  if (config_.raw) end_raw();
}

void ShardReplica::Impl::miss_end() {
  end_.miss_trim();
  if (config_.raw) end_raw();
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
    } else if (!deliver_turns(1, cost, out)) {
      return 1;
    }
  }
  (void)show_delivery(before);
  if (delivered_ >= all) {
    end_.delivered_all();
    frontiers_.ended.store(true, std::memory_order_release);
  }
  return 1;
}

void ShardReplica::Impl::filled() {
  FRESHET_CHECK(end_.phase() == EndPhase::kBehind);
  const uint64_t before = delivered_;
  const LogPosition last = store_.last_position();
  if (last.epoch == config_.epoch)
    delivered_ = delivered_change_ = std::max(delivered_, static_cast<uint64_t>(last.sequence + 1));
  (void)show_delivery(before);
  if (is_sender()) copied_ = end_.knows_trim() ? end_.trim(my_sender_) : UINT64_MAX;
  end_.delivered_all();
  frontiers_.ended.store(true, std::memory_order_release);
}

bool ShardReplica::Impl::is_prepared() const {
  return end_.phase() == EndPhase::kEnded && (!config_.persistent || synced_ == delivered_);
}

void ShardReplica::Impl::take_back(const Resubmit& resubmit) {
  FRESHET_CHECK(end_.phase() == EndPhase::kEnded);
  if (!is_sender()) return;
  const SenderStream& mine = streams_[my_sender_];
  if (config_.raw) {
    sender_->take_back(sender_->ring().tail(), sender_->messages(), 0, resubmit);
    return;
  }
  sender_->take_back(mine.delivered_position(), mine.next_index(), copied_, resubmit);
}

void ShardReplica::Impl::confirm(Outputs& out) {
  FRESHET_CHECK(is_prepared());
  if (config_.persistent) publish_persisted(delivered_);
  const Completion none{0, Status::kNotCurrent, 0, 0, 0, 0};  // no read waits any more
  const uint64_t known = config_.raw && is_sender() ? end_.trim(my_sender_) : delivered_;
  answers_.release({delivered_, known, delivered_}, none, out);
}

}  // namespace freshet
