#include "native/core/view/leases.h"

#include <algorithm>
#include <functional>

namespace freshet {

Nanos Leases::held_until(const std::array<uint64_t, kMembersMax>& echoes, SeatSet of) const {
  std::array<uint64_t, kMembersMax> sorted{};
  size_t count = 0;
  for (Seat seat = 0; seat < kMembersMax; seat++)
    if (has_seat(of, seat)) sorted[count++] = echoes[seat];
  if (count == 0) return kLongAgo;
  std::sort(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(count), std::greater<>());
  // The oldest stamp that a strict majority has echoed.
  const auto stamp = static_cast<Nanos>(sorted[count / 2]);
  return stamp > from_ ? stamp + lease_ : kLongAgo;
}

}  // namespace freshet
