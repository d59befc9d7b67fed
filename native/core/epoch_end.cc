#include "native/core/epoch_end.h"

#include <algorithm>
#include <array>
#include <bit>

#include "native/core/order.h"

namespace freshet {

void EpochEnd::wedge() {
  if (!running()) return;
  phase_ = EndPhase::kWedged;
  table_.set(table_.layout().wedged(), 1);
}

void EpochEnd::suspect(Rank rank) {
  FRESHET_CHECK(rank != me_);
  const bool stands = table_.shown(rank, table_.layout().trim_ready()) != 0;
  if (stands && phase_ <= EndPhase::kWedged && !lies(rank)) {
    wedge();
    copy(rank);
  }
  table_.freeze(rank);
}

Rank EpochEnd::step(const Survivors& survivors) {
  const RankSet ranks = survivors.ranks;
  FRESHET_CHECK_VALUES((ranks >> me_ & 1) != 0, ranks, me_);
  const auto nobody = static_cast<Rank>(table_.members());
  const RowLayout& layout = table_.layout();
  for (RankSet left = ranks; left != 0; left &= left - 1) {
    const auto rank = static_cast<Rank>(std::countr_zero(left));
    if (rank == me_ || table_.shown(rank, layout.trim_ready()) == 0) continue;
    if (lies(rank) || (phase_ >= EndPhase::kTrimmed && !same_trim(rank))) return rank;
    if (phase_ == EndPhase::kWedged) copy(rank);
  }
  const bool leads = static_cast<Rank>(std::countr_zero(ranks)) == me_;
  if (phase_ == EndPhase::kWedged && leads && survivors.agreed && all(ranks, layout.wedged()))
    return choose(ranks);
  const bool may_act = survivors.agreed && survivors.gate_open;
  if (phase_ == EndPhase::kTrimmed && may_act && all(ranks, layout.trim_ready()))
    phase_ = EndPhase::kDelivering;
  return nobody;
}

void EpochEnd::delivered_all() {
  FRESHET_CHECK(phase_ == EndPhase::kDelivering);
  phase_ = EndPhase::kEnded;
}

uint64_t EpochEnd::sequences() const {
  const size_t senders = table_.layout().senders;
  uint64_t result = 0;
  for (size_t s = 0; s < senders; s++) {
    const uint64_t count = trim(s);
    if (count > 0)
      result = std::max(result, static_cast<uint64_t>(sequence_of(count - 1, s, senders)) + 1);
  }
  return result;
}

bool EpochEnd::all(RankSet ranks, size_t cell) const {
  for (; ranks != 0; ranks &= ranks - 1) {
    if (table_.shown(static_cast<Rank>(std::countr_zero(ranks)), cell) == 0) return false;
  }
  return true;
}

bool EpochEnd::same_trim(Rank rank) const {
  const RowLayout& layout = table_.layout();
  for (size_t s = 0; s < layout.senders; s++) {
    if (table_.shown(rank, layout.trim(s)) != trim(s)) return false;
  }
  return true;
}

// Does a trim take back what I delivered? Everybody received that, so no true one can.
bool EpochEnd::lies(Rank rank) const {
  const RowLayout& layout = table_.layout();
  const uint64_t delivered = table_.mine(layout.delivered_seq());
  for (size_t s = 0; s < layout.senders; s++) {
    const uint64_t count = table_.shown(rank, layout.trim(s));
    if (count > kMessageCountMax || count < messages_among(delivered, s, layout.senders))
      return true;
  }
  return false;
}

Rank EpochEnd::choose(RankSet ranks) {
  const RowLayout& layout = table_.layout();
  const uint64_t delivered = table_.mine(layout.delivered_seq());
  std::array<uint64_t, kMembersMax> least;
  least.fill(UINT64_MAX);
  for (; ranks != 0; ranks &= ranks - 1) {
    const auto rank = static_cast<Rank>(std::countr_zero(ranks));
    for (size_t s = 0; s < layout.senders; s++) {
      least[s] = std::min(least[s], table_.shown(rank, layout.received(s)));
      // What I delivered was received by everyone.
      if (least[s] < messages_among(delivered, s, layout.senders)) return rank;
    }
  }
  for (size_t s = 0; s < layout.senders; s++) table_.set(layout.trim(s), least[s]);
  show();
  return static_cast<Rank>(table_.members());
}

void EpochEnd::copy(Rank rank) {
  const RowLayout& layout = table_.layout();
  bool behind = false;
  for (size_t s = 0; s < layout.senders; s++) {
    const uint64_t count = table_.shown(rank, layout.trim(s));
    behind = behind || count > table_.mine(layout.received(s));
    table_.set(layout.trim(s), count);
  }
  show();
  if (behind) phase_ = EndPhase::kBehind;
}

void EpochEnd::show() {
  table_.set(table_.layout().trim_ready(), 1);
  phase_ = EndPhase::kTrimmed;
}

}  // namespace freshet
