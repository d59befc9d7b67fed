// How a member leaves an epoch together with all that go on, so that they delivered the same.
//
// A member that leaves shows `wedged`: it takes nothing more from rings, and its `received` stand
// still. Once all survivors show it, what they received is final, and the least that any of them
// has of each sender is the ragged trim. The view decides on one (view/membership.h); then
// everybody delivers up to it and drops the rest. (Birman, Guide to Reliable Distributed Systems,
// 2012, section 15.3.4; Derecho, ACM TOCS 36(2), 2019, section 4.2.)
//
// Thread: the agent's.
// Invariants
//  1. My received cells do not change once I show wedged.
//  2. A trim is taken once and never changes.
#ifndef FRESHET_CORE_EPOCH_END_H_
#define FRESHET_CORE_EPOCH_END_H_

#include <array>
#include <cstdint>
#include <span>

#include "native/core/shard_table.h"
#include "native/core/types.h"

namespace freshet {

enum class EndPhase : uint8_t {
  kRunning = 0,
  kWedged = 1,      // waits for a trim
  kDelivering = 2,  // up to the trim
  kEnded = 3,       // delivered to the trim
  kBehind = 4,      // the trim covers messages that are not here: a log has to be fetched
};

// Messages by sender.
using MessageCounts = std::array<uint64_t, kMembersMax>;

class EpochEnd {
 public:
  EpochEnd(ShardTable& table, Rank me) : table_(table), me_(me) {}

  EndPhase phase() const { return phase_; }
  bool running() const { return phase_ == EndPhase::kRunning; }

  // Idempotent. Before: my received cells show all that was taken.
  void wedge();
  // The least that these members, me among them, received of each sender. False: it is not final.
  bool least_received(RankSet ranks, MessageCounts& least) const;
  // False: it takes back what I delivered, so it is no trim of this epoch. Idempotent.
  bool take_trim(const MessageCounts& trim);
  // The epoch ended with a trim that is not known here.
  void miss_trim();
  // All up to the trim is delivered here, or was copied.
  void delivered_all();

  // From kDelivering on: messages of sender s that are delivered.
  uint64_t trim(size_t s) const { return trim_[s]; }
  // False: the epoch ended with another one than this member was told.
  bool knows_trim() const { return !missed_; }
  // Sequences up to the last message of the trim.
  uint64_t sequences() const;

 private:
  ShardTable& table_;
  const Rank me_;
  EndPhase phase_ = EndPhase::kRunning;
  MessageCounts trim_{};
  bool missed_ = false;
};

}  // namespace freshet

#endif  // FRESHET_CORE_EPOCH_END_H_
