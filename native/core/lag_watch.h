// Which member of a shard epoch holds the others up, and for how long.
//
// Delivery waits for the slowest member: what is received must be received by all, room in a ring
// is used again once all have delivered, and what is persisted is so at all. For each other member
// and each of these three counts the watch sets a mark: what I have now and it lacks. The time
// until the member shows that much is a **wait**. With steady traffic one mark follows the other,
// so a wait says how far behind the member is in time, whatever the rate; with none there is no
// mark.
//
// Of large records nobody receives anything before all of their blocks have come, by way of others:
// who lacks some is not expected to receive. For them the count is of steps of a transfer's
// schedule, of the one member that all wait for (BlockTransfer::awaited), and the mark is as far
// ahead as anybody gets of it.
//
// It is looked at once a heartbeat, so waits are known to within two of them.
//
// Thread: the agent's. Times are of one monotonic clock, ns.
// Invariants
//  1. A wait ends when the member shows what it was marked for; new messages do not prolong it.
//  2. A pause of my own is nobody's wait: all marks are set anew after one.
//  3. Who is silent is not told, however long: that is for the failure detector. It is once it has
//     moved again.
#ifndef FRESHET_CORE_LAG_WATCH_H_
#define FRESHET_CORE_LAG_WATCH_H_

#include <array>
#include <cstdint>
#include <vector>

#include "native/core/types.h"

namespace freshet {

// What of a member is waited for. The numbers are those of lagKinds in
// platform/bridge/native-columns.ts.
enum class LagKind : uint8_t { kReceived = 0, kDelivered = 1, kPersisted = 2, kBlocks = 3 };
inline constexpr size_t kLagKinds = 4;

// How far a member is, by kind: counts of sequences; of blocks, of steps.
using LagCounts = std::array<uint64_t, kLagKinds>;

struct Lag {
  NodeId node = 0;
  LagKind kind = LagKind::kReceived;
  Nanos waited = 0;
  uint64_t sequences = 0;  // or steps, that it lacked when the wait began
};

// A wait that goes on is told again after this time.
inline constexpr Nanos kLagToldAgain = 1'000'000'000;

class LagWatch {
 public:
  explicit LagWatch(size_t members) : waits_(members) {}

  // Begins a look at all members; waits of at least `patience` are told.
  void begin(Nanos now, Nanos patience);
  // One other member: what I have, what it shows, and whether it is heard.
  void look(Rank member, NodeId node, const LagCounts& mine, const LagCounts& theirs, bool heard,
            std::vector<Lag>& out);
  // Nothing is expected of this member now (its memory is still being made, it is suspected).
  void excuse(Rank member) { waits_[member] = {}; }
  // Nor of this kind.
  void excuse(Rank member, LagKind kind) { waits_[member][static_cast<size_t>(kind)] = {}; }
  // Nothing is expected of anyone: the epoch is ending.
  void excuse_all();

 private:
  struct Wait {
    uint64_t mark = 0;  // 0: nothing is waited for
    uint64_t lacked = 0;
    Nanos since = 0;
    Nanos told = 0;  // 0: not yet
  };
  using Waits = std::array<Wait, kLagKinds>;

  std::vector<Waits> waits_;
  Nanos now_ = 0;
  Nanos patience_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_LAG_WATCH_H_
