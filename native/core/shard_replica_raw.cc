// Raw delivery: what a sender sent is delivered when it is received; see shard_replica.h.
//
// `received[s]` shows what was delivered, so it stands for both: the least of it frees the sender's
// ring and answers it, and a member that is wedged has delivered exactly what it shows.
#include <algorithm>

#include "native/core/canary.h"
#include "native/core/shard_replica_impl.h"

namespace freshet {

// Of my messages, how many every member has delivered, as far as its row says.
uint64_t ShardReplica::Impl::least_taken_of_mine() const {
  uint64_t least = streams_[my_sender_].delivered();
  const size_t cell = table_.layout().received(my_sender_);
  for (Rank rank = 0; rank < table_.members(); rank++) {
    if (rank != me_) least = std::min(least, table_.shown(rank, cell));
  }
  return least;
}

// Everybody's in turn, so that one who sends much does not keep the others waiting.
int ShardReplica::Impl::deliver_raw(Outputs& out) {
  const uint64_t before = delivered_;
  int work = 0;
  for (size_t s = 0; s < streams_.size(); s++) {
    SenderStream& stream = streams_[s];
    for (size_t cost = 0; stream.delivered() < stream.received() && cost < kPassBytes; work++) {
      const std::byte* record = nullptr;
      RingFault fault = stream.next(record);
      if (record == nullptr && fault == RingFault::kNone) continue;
      if (fault == RingFault::kNone) {
        const bool twice = breaks(CoreCanary::kRawTwice) && me_ == 0 && s != my_sender_ &&
                           stream.delivered() % 97 == 13 &&
                           is_change(RecordView(record).header().kind);
        fault = deliver_message(s, record, cost, out);
        if (twice) {
          delivered_++;
          fault = deliver_message(s, record, cost, out);
        }
      }
      if (fault != RingFault::kNone) {
        fail(config_.senders[s], fault, out);
        return 1;
      }
      delivered_++;
    }
  }
  (void)show_delivery(before);
  return work;
}

void ShardReplica::Impl::show_raw() {
  const RowLayout& layout = table_.layout();
  for (size_t s = 0; s < streams_.size(); s++)
    table_.set(layout.received(s), streams_[s].delivered());
  frontiers_.changes.store(static_cast<Sequence>(delivered_) - 1, std::memory_order_release);
  frontiers_.received.store(static_cast<Sequence>(delivered_) - 1, std::memory_order_release);
}

// Nothing is left to deliver, nor to copy: what I lack of the trim, others have delivered and I do
// not, as if it had never been sent to me.
void ShardReplica::Impl::end_raw() {
  const bool ends = end_.phase() == EndPhase::kDelivering || end_.phase() == EndPhase::kBehind;
  if (!ends) return;
  end_.delivered_all();
  frontiers_.ended.store(true, std::memory_order_release);
}

}  // namespace freshet
