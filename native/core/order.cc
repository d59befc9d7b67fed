#include "native/core/order.h"

#include <algorithm>

namespace freshet {

uint64_t contiguous_sequences(std::span<const uint64_t> received) {
  size_t lowest = 0;
  for (size_t s = 1; s < received.size(); s++) {
    if (received[s] < received[lowest]) lowest = s;
  }
  return received[lowest] * received.size() + lowest;
}

uint64_t messages_owed(std::span<const uint64_t> received, std::span<const uint64_t> changes,
                       size_t me) {
  uint64_t owed = 0;
  for (size_t s = 0; s < received.size(); s++) {
    if (s == me) continue;
    const uint64_t before_it = s > me ? 1 : 0;
    if (received[s] > 0) owed = std::max(owed, received[s] - 1 + before_it);
    if (changes[s] > 0) owed = std::max(owed, changes[s] + before_it);
  }
  return owed;
}

}  // namespace freshet
