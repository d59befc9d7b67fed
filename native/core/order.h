// Round-robin order as pure arithmetic (Derecho, ACM TOCS 36(2), 2019, section 3).
//
// S senders; message i of sender s has sequence i * S + s. All functions count: "how many messages"
// or "how many sequences", 0 for none, so that a table of zeros is the start of an epoch. The last
// sequence is the count minus one.
//
// Thread: none; pure functions.
#ifndef FRESHET_CORE_ORDER_H_
#define FRESHET_CORE_ORDER_H_

#include <cstdint>
#include <span>

#include "native/core/types.h"

namespace freshet {

// More messages than this of one sender in one epoch are nonsense; keeps the arithmetic in range.
inline constexpr uint64_t kMessageCountMax = uint64_t{1} << 56;

constexpr Sequence sequence_of(uint64_t index, size_t sender, size_t senders) {
  return static_cast<Sequence>(index * senders + sender);
}
constexpr size_t sender_of(Sequence sequence, size_t senders) {
  return static_cast<size_t>(static_cast<uint64_t>(sequence) % senders);
}
constexpr uint64_t index_of(Sequence sequence, size_t senders) {
  return static_cast<uint64_t>(sequence) / senders;
}

// How many sequences from 0 on are here without a gap, when received[s] messages of sender s are.
// With m the least count and k the lowest sender that has it: m * S + k.
uint64_t contiguous_sequences(std::span<const uint64_t> received);

// How many messages of sender `s` lie among the first `sequences`.
constexpr uint64_t messages_among(uint64_t sequences, size_t sender, size_t senders) {
  return sequences > sender ? (sequences - sender - 1) / senders + 1 : 0;
}

// The null rule: how many messages sender `me` must have produced, given how many of each sender it
// has seen: as many as any sender after it, and one less than any sender before it, so that
// nobody's message waits for a turn of mine that would never come. A null is thus a reaction only:
// in a silent group all counts are 0 and nobody owes anything.
//
// `changes[s]` counts the messages of s up to its newest that is no null. For what follows that one
// everybody is a turn ahead already, so that the next put of a sender that is busy alone waits for
// no null. Nulls never make others go ahead, so it ends there.
uint64_t messages_owed(std::span<const uint64_t> received, std::span<const uint64_t> changes,
                       size_t me);

}  // namespace freshet

#endif  // FRESHET_CORE_ORDER_H_
