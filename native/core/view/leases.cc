#include "native/core/view/leases.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace freshet {

Nanos Leases::held_until(const std::array<uint64_t, kMembersMax>& echoes, SeatSet of) const {
  std::array<uint64_t, kMembersMax> sorted;
  size_t count = 0;
  for (SeatSet left = of; left != 0; left &= left - 1)
    sorted[count++] = echoes[static_cast<Seat>(std::countr_zero(left))];
  if (count == 0) return kLongAgo;
  std::sort(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(count), std::greater<>());
  // The oldest stamp that a strict majority has echoed.
  const auto stamp = static_cast<Nanos>(sorted[count / 2]);
  return stamp > from_ ? stamp + lease_ : kLongAgo;
}

}  // namespace freshet
