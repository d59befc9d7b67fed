// How the members of a shard epoch leave it together, so that all that go on delivered the same.
//
// A member that leaves shows `wedged`: it takes nothing more from rings, and its `received` stand
// still. Once all survivors show it, what they received is final, and the ragged trim is chosen:
// trim[s] = the least that any survivor has of sender s. Everybody copies it and shows it as ready;
// only what every survivor shows may be acted on. (Birman, Guide to Reliable Distributed Systems,
// 2012, section 15.3.4; Derecho, ACM TOCS 36(2), 2019, section 4.2.)
//
// A trim stands once its owner shows trim_ready. A later leader takes the one that stands in any
// survivor's row, so a trim that was acted on is found again: before that, every survivor had it.
// For this to hold, the shard row of a suspicion's author has to be on its way before the suspicion
// is: a trim copied from a lost member's row is seen no later than the loss.
//
// Thread: the agent's.
// Invariants
//  1. My received cells do not change once I show wedged.
//  2. My trim is chosen or copied once, and never changes.
//  3. trim[s] is at most what every survivor received of s, and at least what anyone delivered.
#ifndef FRESHET_CORE_EPOCH_END_H_
#define FRESHET_CORE_EPOCH_END_H_

#include <cstdint>

#include "native/core/shard_table.h"
#include "native/core/types.h"

namespace freshet {

// What the view says of an epoch that ends; see core/README.md, "From one view to the next".
struct Survivors {
  RankSet ranks = 0;  // members of the epoch that the next view keeps and nobody suspects; and me
  // A strict majority of the view shows exactly my suspects. A trim is chosen and acted on only
  // then: who suspects all others may hold one that nobody else will find.
  bool agreed = false;
  bool gate_open = false;  // nobody outside can answer any more, so the trim may be acted on
};

enum class EndPhase : uint8_t {
  kRunning = 0,
  kWedged = 1,      // waits for the others, or for a trim
  kTrimmed = 2,     // shows a trim; waits until all survivors show it and the gate is open
  kDelivering = 3,  // everyone has the trim: it is delivered
  kEnded = 4,       // delivered to the trim
  kBehind = 5,      // the trim covers messages that are not here: this member has to join anew
};

class EpochEnd {
 public:
  EpochEnd(ShardTable& table, Rank me) : table_(table), me_(me) {}

  EndPhase phase() const { return phase_; }
  bool running() const { return phase_ == EndPhase::kRunning; }

  // Idempotent. Before: my received cells show all that was taken.
  void wedge();
  // Takes what stands in a lost member's row; nothing more is read from it.
  void suspect(Rank rank);
  // Goes as far as the rows allow. Returns the rank of a member that broke the protocol, else the
  // number of members.
  Rank step(const Survivors& survivors);
  // All up to the trim is delivered here.
  void delivered_all();

  // From kTrimmed on: messages of sender s that are delivered.
  uint64_t trim(size_t s) const { return table_.mine(table_.layout().trim(s)); }
  // Sequences up to the last message of the trim.
  uint64_t sequences() const;

 private:
  bool all(RankSet ranks, size_t cell) const;
  bool same_trim(Rank rank) const;
  bool lies(Rank rank) const;
  Rank choose(RankSet ranks);
  void copy(Rank rank);
  void show();

  ShardTable& table_;
  const Rank me_;
  EndPhase phase_ = EndPhase::kRunning;
};

}  // namespace freshet

#endif  // FRESHET_CORE_EPOCH_END_H_
