#include "native/core/epoch_end.h"

#include <algorithm>
#include <bit>

#include "native/core/order.h"

namespace freshet {

void EpochEnd::wedge() {
  if (!running()) return;
  phase_ = EndPhase::kWedged;
  table_.set(table_.layout().wedged(), 1);
}

bool EpochEnd::least_received(RankSet ranks, MessageCounts& least) const {
  FRESHET_CHECK_VALUES((ranks >> me_ & 1) != 0, ranks, me_);
  const RowLayout& layout = table_.layout();
  least.fill(0);
  for (size_t s = 0; s < layout.senders; s++) least[s] = UINT64_MAX;
  for (; ranks != 0; ranks &= ranks - 1) {
    const auto rank = static_cast<Rank>(std::countr_zero(ranks));
    // The guard first: what it guards is read after it.
    if (table_.shown(rank, layout.wedged()) == 0) return false;
    for (size_t s = 0; s < layout.senders; s++)
      least[s] = std::min(least[s], table_.shown(rank, layout.received(s)));
  }
  return true;
}

bool EpochEnd::take_trim(const MessageCounts& trim) {
  if (phase_ != EndPhase::kWedged) return true;
  const RowLayout& layout = table_.layout();
  const uint64_t delivered = table_.mine(layout.delivered_seq());
  bool behind = false;
  for (size_t s = 0; s < layout.senders; s++) {
    if (trim[s] > kMessageCountMax || trim[s] < messages_among(delivered, s, layout.senders))
      return false;
    behind = behind || trim[s] > table_.mine(layout.received(s));
  }
  trim_ = trim;
  phase_ = behind ? EndPhase::kBehind : EndPhase::kDelivering;
  return true;
}

void EpochEnd::miss_trim() {
  if (phase_ != EndPhase::kWedged) return;
  phase_ = EndPhase::kBehind;
  missed_ = true;
}

void EpochEnd::delivered_all() {
  FRESHET_CHECK(phase_ == EndPhase::kDelivering || phase_ == EndPhase::kBehind);
  phase_ = EndPhase::kEnded;
}

uint64_t EpochEnd::sequences() const {
  const size_t senders = table_.layout().senders;
  uint64_t result = 0;
  for (size_t s = 0; s < senders; s++) {
    if (trim_[s] > 0)
      result = std::max(result, static_cast<uint64_t>(sequence_of(trim_[s] - 1, s, senders)) + 1);
  }
  return result;
}

}  // namespace freshet
