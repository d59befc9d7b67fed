#include "native/core/order.h"

namespace freshet {

uint64_t contiguous_sequences(std::span<const uint64_t> received) {
  size_t lowest = 0;
  for (size_t s = 1; s < received.size(); s++) {
    if (received[s] < received[lowest]) lowest = s;
  }
  return received[lowest] * received.size() + lowest;
}

uint64_t messages_owed(std::span<const uint64_t> received, size_t me) {
  uint64_t owed = 0;
  for (size_t s = 0; s < received.size(); s++) {
    if (s == me || received[s] == 0) continue;
    const uint64_t needed = s > me ? received[s] : received[s] - 1;
    if (needed > owed) owed = needed;
  }
  return owed;
}

}  // namespace freshet
