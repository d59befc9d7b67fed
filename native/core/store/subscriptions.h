// Who wants to hear of which prefix, and what they have not heard yet.
//
// Subscribed prefixes form a tree (a prefix's parent is the longest other one that it begins with).
// A key is matched once to its longest prefix, which is cached with a generation number; an applied
// record that matches is queued once, however many subscribe. A subscription that is behind the
// queue (new, or the queue ran over) reads the version slots itself until it has caught up.
//
// Thread: the agent's.
// Invariants
//  1. A subscription hears every matching version from its first on, once, in order; where pruning
//     overtook it, it hears of the gap.
//  2. Its cursor is the lowest version that it has not been offered.
//  3. A subscription that has joined a queue has cursor <= offered + 1 of that queue, and every
//     matching version from there on is in the queue: it joins no earlier than past missing_to.
#ifndef FRESHET_CORE_STORE_SUBSCRIPTIONS_H_
#define FRESHET_CORE_STORE_SUBSCRIPTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "native/core/limits.h"
#include "native/core/outputs.h"
#include "native/core/store/key_entry.h"
#include "native/core/store/store.h"
#include "native/core/types.h"

namespace freshet {

class Subscriptions {
 public:
  using Frontier = Store::SubscriptionFrontier;

  // What the store knows of a version, for a subscription that catches up.
  struct VersionFacts {
    KeyEntry* entry = nullptr;  // null: a trigger, or gone
    std::string_view key;       // empty: unknown
    bool gone = false;          // pruned without a trace: nobody can say whether it matched
    Epoch epoch = 0;
    Micros time = 0;
  };
  class Source {
   public:
    virtual ~Source() = default;
    virtual VersionFacts facts(Version version) = 0;
  };

  // `remembers`: keys keep where they match; one instance of a store may.
  explicit Subscriptions(bool remembers);

  bool empty() const { return subscribers_.empty(); }
  // `newest` is the newest version applied so far: what is not in the queues up to it is read from
  // the slots, whenever the frontier lets it be seen.
  Status add(uint64_t id, std::string_view prefix, Version from, Frontier frontier, Version newest,
             EventShare share);
  bool remove(uint64_t id, Version newest);  // false: there is none of this id

  // A record took `version`. `entry` is null for a trigger.
  void on_applied(std::string_view key, KeyEntry* entry, Version version, Epoch epoch, Micros time);
  // Versions that follow `newest` were pruned before they came here: who reads the slots hears so.
  void on_skipped(Version newest);

  // Events up to the frontiers; true if more are waiting.
  bool collect(Source& source, Version delivered, Version persisted,
               std::vector<SubscriptionEvent>& events, size_t max, ShardId shard);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kScanMax = 16384;  // slots looked at in one call while catching up

  struct Subscriber {
    uint64_t id;
    std::string prefix;
    Frontier frontier;
    EventShare share;
    Version cursor;
    bool joined;
    bool in_gap;  // versions just below the cursor are gone
    uint32_t node;
  };
  struct Node {
    std::string prefix;
    uint32_t parent;
    bool wanted[2];  // by frontier, here or above
    std::vector<uint32_t> subscribers[2];
  };
  struct Matched {
    Version version;
    Micros time;
    Epoch epoch;
    uint32_t node;
    uint64_t hash;  // of the key; 0 while nobody has a share
  };
  // One for each frontier.
  struct Queue {
    std::vector<Matched> ring;
    size_t head = 0;
    size_t count = 0;
    Version offered = 0;        // matched versions up to it were offered to all that joined
    Version missing_to = 0;     // matched versions up to it may not have been queued
    std::vector<uint32_t> due;  // subscribers that the head is still to be given to
    size_t due_next = 0;
    bool expanded = false;
  };

  void rebuild();
  void fall_behind(int which, Version newest);
  uint32_t match(std::string_view key) const;
  uint32_t match_of(std::string_view key, KeyEntry* entry);
  static bool is_quiet(const EventShare& share, uint64_t hash) {
    return share.size > 0 && hash % share.size != share.rank;
  }
  void push(int which, const Matched& matched);
  bool drain(int which, Version frontier, std::vector<SubscriptionEvent>& events, size_t max,
             ShardId shard);
  bool catch_up(Subscriber& subscriber, Source& source, Version frontier, size_t& budget,
                std::vector<SubscriptionEvent>& events, size_t max, ShardId shard);

  const bool remembers_;
  std::vector<Subscriber> subscribers_;
  std::vector<Node> nodes_;  // ascending by prefix
  bool shared_ = false;      // a subscriber has a share: keys are hashed
  Queue queues_[2];
  uint32_t generation_ = 1;
  size_t behind_ = 0;
  size_t turn_ = 0;  // who catches up first in the next call
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_SUBSCRIPTIONS_H_
