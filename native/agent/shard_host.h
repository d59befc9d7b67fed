// A shard at this member: its store, its part in the running epoch, and what waits for either.
//
// Thread: the agent's.
// Invariants
//  1. Every submission that was taken is answered exactly once (unless its ack is none), and every
//     borrowed value is released exactly once.
//  2. The memory of an ended epoch stays until the transport holds no reference to it (Retired).
//  3. What the order of the shard brought is answered while I hold a lease, or once an installed
//  view
//     has it: else the others may have gone on without all members of this epoch, and begun a
//     volatile shard anew. Until then the answer is held.
//  4. At most two epochs have memory: the one that runs or ends, and the next, which is prepared.
#ifndef FRESHET_AGENT_SHARD_HOST_H_
#define FRESHET_AGENT_SHARD_HOST_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "native/agent/agent_counters.h"
#include "native/agent/callers.h"
#include "native/agent/peer_links.h"
#include "native/agent/row_output.h"
#include "native/agent/shard_view.h"
#include "native/agent/submission.h"
#include "native/core/disk_space.h"

namespace freshet {

// Submissions that found the sender full, or the epoch on its way to the next one, wait here, at
// most so many bytes and so long.
inline constexpr size_t kDeferredBytesMax = size_t{4} << 20;
inline constexpr Nanos kDeferredMax = 100'000'000;
inline constexpr Nanos kDeferredChangeMax = 5'000'000'000;
inline constexpr size_t kTracedBlocksMax = 65'536;

// Memory of an ended epoch that queued writes may still point into.
struct Retired {
  std::unique_ptr<ShardReplica> replica;
  std::vector<NodeId> peers;  // whose queues were not seen empty since
};

struct EpochOptions {
  ShardId shard = 0;
  Epoch epoch = 0;
  std::vector<NodeId> members;
  std::vector<Rank> senders;
  size_t ring_size = kRingSizeMin;
  Version dispatch_lag_max = UINT64_MAX;
};

// What the layout says of the epochs made from now on.
struct ShardRules {
  bool raw = false;                                              // see ShardConfig
  MulticastAlgorithm multicast = MulticastAlgorithm::kBinomial;  // as the next
  uint32_t block_size = kBlockSizeDefault;                       // see ShardConfig
};

class ShardHost {
 public:
  struct Context {
    NodeId me;
    HybridClock& clock;
    Transport& transport;
    PeerLinks& links;
    RowOutput& rows;
    Callers& callers;
    std::vector<Retired>& retired;
    AgentCounters& counters;
    const std::atomic<Nanos>& lease_until;  // what is here may be answered as current until then
    const std::function<Nanos()>& now;      // the clock that leases are given by
  };

  ShardHost(ShardView& view, const Context& context) : view_(view), context_(context) {}

  ShardView& view() { return view_; }
  const ShardView& view() const { return view_; }
  ShardId id() const { return view_.id(); }
  const std::shared_ptr<Store>& store() const { return store_; }
  void set_store(std::shared_ptr<Store> store);  // once recovered; again after a cut
  bool is_open() const { return store_ != nullptr; }
  bool is_prepared() const { return replica_ != nullptr && !ended_; }
  bool is_running() const { return is_prepared() && started_; }
  ShardReplica* replica() { return replica_.get(); }
  // Of the epoch that is prepared, runs, or ran last; there is one.
  const Frontiers& frontiers() const { return replica_->frontiers(); }
  ShardReplica* next() { return next_.get(); }
  Epoch epoch() const { return replica_ != nullptr ? replica_->config().epoch : 0; }

  // kPeerUnreachable: a member is not connected. kInvalidArgument: not a possible epoch.
  // kInvalidArgument: a persistent shard is not raw, and blocks have bounds.
  Status set_rules(const ShardRules& rules);
  bool is_raw() const { return rules_.raw; }
  Status prepare_epoch(const EpochOptions& options);
  Status start_epoch(Epoch epoch);
  // The epoch that follows the one that has ended here, or the first: its memory, granted to the
  // others. Idempotent for one and the same; another one takes its place.
  Status prepare_next(const EpochOptions& options);
  // As the installed view has it; told before what that view says of the epoch.
  void set_members_min(size_t members) { members_min_ = members; }
  // The view that has it is installed: the ended epoch's callers are answered, or go on in it. With
  // too few members in it they hear kShardStopped: what they asked for may be there or not.
  void begin_next();
  // The installed view has this shard without me, with so many members; or, nullopt, there is no
  // view any more. In the former case what was not delivered was never made, and is answered so:
  // kNotAMember.
  void leave_epoch(std::optional<size_t> members);
  // Its store was filled up to the end of this epoch (EndPhase::kBehind). kInvalidArgument: it does
  // not wait for that.
  Status caught_up(Epoch epoch);
  bool is_behind() const { return is_running() && replica_->end_phase() == EndPhase::kBehind; }
  // Ends the epoch, if one is prepared; answers everything with `reason`.
  void stop_epoch(Status reason);
  bool contains(NodeId node) const;
  // It runs elsewhere, if anywhere: nothing new comes here.
  bool is_away() const { return !is_running() && not_running() == Status::kNotAMember; }

  void submit(const Submission& submission, Nanos now);
  void wait_current(Token token, bool persisted);
  void set_dispatched(Version version);
  // What was received here is shown (of a persistent shard: synced everywhere), and I hold my
  // lease: a linearizable read may be answered now.
  bool is_current() const;
  // At heartbeats: tells the others what was delivered since something was last shown.
  void show_delivered() {
    if (is_running() && replica_->show_delivered()) dirty = true;
  }

  // Members that make this one wait for so long are told (core/lag_watch.h); 0: nobody is.
  void set_lag_patience(Nanos patience) { lag_patience_ = patience; }
  // At heartbeats. `is_heard` as in ShardReplica::watch_lag.
  void watch_lag(Nanos now, const std::function<bool(NodeId)>& is_heard);

  // Blocks of large values wait to be sent.
  bool has_blocks() const { return is_running() && replica_->has_blocks(); }
  // With the last step some were.
  bool has_sent_blocks() const { return sent_blocks_; }

  // The blocks of large values that this member has sent since the last call, from the first call
  // on; at most kTracedBlocksMax.
  std::vector<BlockSent> take_trace();

  // What disks of the epoch's members have: of a persistent shard nothing that needs more is taken.
  void set_disk_left(const DiskLeft& left) { disk_left_ = left; }

  // One pass. True in `ended` if the epoch ended by itself in it (a broken peer).
  int step(Micros wall, Nanos now, bool& ended);
  bool has_deferred() const { return !deferred_.empty(); }
  bool has_held() const { return !held_.empty(); }

  bool dirty = false;   // is to be stepped in this pass
  bool worked = false;  // its store may have something to clean up
  size_t subscriptions = 0;

 private:
  // One that waits, with its bytes, but for a borrowed value.
  class Deferred {
   public:
    Deferred(const Submission& submission, Nanos until);
    Deferred(Deferred&&) = default;

    const Submission& submission() const { return submission_; }
    Nanos until() const { return until_; }
    size_t size() const { return sizeof *this + bytes_.size(); }

   private:
    Submission submission_;
    Nanos until_;
    std::vector<std::byte> bytes_;
  };
  struct Kept {
    Token token;
    std::vector<std::byte> value;
  };

  std::unique_ptr<ShardReplica> make_replica(const EpochOptions& options);
  void grant(ShardReplica& replica);
  void retire(std::unique_ptr<ShardReplica> replica);
  void drop_next();
  bool is_changing() const;
  bool are_enough(size_t members) const { return members >= members_min_; }
  Status try_submit(const Submission& submission);
  bool fits_disks(uint64_t length) const;
  Status give(Change change, Ack ack, Token token, bool stays);
  void release(Token token);
  Status not_running() const;
  void refuse(const Submission& submission, Status reason);
  int retry_deferred(Nanos now);
  void fail_deferred(Status reason);
  void hand_on();
  void end_grants();
  void answer();
  void answer_held();
  void fail_held(Status reason);
  void look_at_links();
  bool holds_lease() const { return context_.now() < context_.lease_until.load(); }

  ShardView& view_;
  const Context context_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<ShardReplica> replica_;
  std::unique_ptr<ShardReplica> next_;
  ShardRules rules_;
  size_t members_min_ = 1;
  bool sent_blocks_ = false;
  bool started_ = false;
  bool ended_ = false;
  bool left_ = false;                // the epoch ended for a view that has the shard elsewhere
  std::unordered_set<Token> waits_;  // for a current read
  std::vector<Completion> held_;
  std::deque<Deferred> deferred_;
  size_t deferred_bytes_ = 0;
  std::deque<Kept> kept_;  // values that a replica reads and nobody else keeps; oldest first
  Nanos lag_patience_ = 0;
  std::vector<Lag> lags_;
  DiskLeft disk_left_;
  std::unordered_map<Token, uint64_t> long_;  // of a persistent shard, not delivered yet: lengths
  std::optional<std::vector<BlockSent>> trace_;  // none: nobody asked
  std::vector<RegionRevoke> leaving_;            // what was revoked, and may still be written
  Outputs out_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_SHARD_HOST_H_
