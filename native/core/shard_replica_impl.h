// How ShardReplica is made; for its own sources only.
#ifndef FRESHET_CORE_SHARD_REPLICA_IMPL_H_
#define FRESHET_CORE_SHARD_REPLICA_IMPL_H_

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "native/core/answers.h"
#include "native/core/check.h"
#include "native/core/epoch_end.h"
#include "native/core/lag_watch.h"
#include "native/core/large_multicast.h"
#include "native/core/sender.h"
#include "native/core/sender_stream.h"
#include "native/core/shard_replica.h"
#include "native/core/shard_table.h"
#include "native/core/store/store.h"

namespace freshet {

// What a pass takes from one sender, and what it delivers: about this many bytes, so that others
// get a turn. A delivery costs as much as copying kDeliveryCost bytes, whatever its size.
inline constexpr size_t kPassBytes = kCopySlice;
inline constexpr size_t kDeliveryCost = 256;
inline constexpr size_t kNullCost = 16;
inline constexpr size_t kTurnsAtOnce = Store::kExpectedMax;
// Delivery alone is shown once it frees this part of a ring: the rest is room enough for any
// record.
inline constexpr size_t kShownDivisor = 8;
static_assert(kShownDivisor > kRingInlineDivisor, "what is held back must not block a record");
// Passes whose versions are remembered until they are on all disks; more are merged.
inline constexpr size_t kCheckpointsMax = 1024;

inline Rank rank_of(const std::vector<NodeId>& members, NodeId node) {
  const auto found = std::find(members.begin(), members.end(), node);
  FRESHET_CHECK_VALUES(found != members.end(), node, members.size());
  return static_cast<Rank>(found - members.begin());
}

inline constexpr size_t kNoSender = SIZE_MAX;

class ShardReplica::Impl {
 public:
  Impl(ShardConfig config, Store& store, HybridClock& clock);

  std::vector<GrantedRegion> regions();
  void on_revoked(NodeId writer, const RegionId& region) { large_.on_revoked(writer, region); }
  void begin();
  void take_back(const Resubmit& resubmit);
  Status submit(const Change& change, Ack ack, Token token);
  void wait_current(Token token, bool persisted);
  int step(Micros wall, Outputs& out);
  void on_synced(Sequence sequence);
  void set_dispatched(Version version);
  bool show_delivered();
  void watch_lag(Nanos now, Nanos patience, const std::function<bool(NodeId)>& is_heard,
                 std::vector<Lag>& out);
  void wedge();
  void suspect(NodeId peer);
  void trust(NodeId peer);
  void on_up(NodeId peer);
  void hold(NodeId peer, bool held);
  bool least_received(const std::vector<NodeId>& survivors, MessageCounts& least) const;
  void take_trim(const MessageCounts& trim, Outputs& out);
  EndPhase end_phase() const { return end_.phase(); }
  void miss_end();
  void filled();
  bool is_prepared() const;
  void confirm(Outputs& out);
  void stop(Status reason, Outputs& out);
  void set_congested(NodeId peer, bool congested);
  void set_busy(NodeId peer, bool busy);
  bool has_blocks() const { return end_.running() && large_.has_unsent(); }

  const ShardConfig config_;
  Frontiers frontiers_;
  ShardFault fault_;

 private:
  struct Peer {
    NodeId node;
    bool held = false;
    bool congested = false;
    bool busy = false;
    uint64_t pushed = 0;  // position in my ring up to which it was written
    CellRange behind;     // cells of my row that it lacks
  };

  bool is_sender() const { return sender_ != nullptr; }
  bool is_trimmed() const {
    return end_.phase() == EndPhase::kDelivering || end_.phase() == EndPhase::kEnded;
  }
  int deliver_trim(Outputs& out);
  bool deliver_turns(size_t count, size_t& cost, Outputs& out);
  void pass_turn();
  int show_delivery(uint64_t before);
  int step_running(Outputs& out);
  int step_large(Outputs& out);
  int take(Outputs& out);
  int make_messages();
  void show_received();
  int deliver(Outputs& out);
  RingFault deliver_message(size_t s, const std::byte* record, size_t& cost, Outputs& out);
  void answer_own(Sequence sequence, const Applied& applied, Outputs& out);
  int show_persisted();
  int publish_persisted(uint64_t everywhere);
  int answer(Outputs& out);
  // shard_replica_raw.cc
  uint64_t least_taken_of_mine() const;
  int deliver_raw(Outputs& out);
  void show_raw();
  void end_raw();
  bool is_to_show() const;
  LagCounts counts_of(Rank member) const;
  void watch_blocks(Rank member, LagCounts& mine, LagCounts& theirs);
  RankSet held() const;
  int push(Outputs& out);
  void push_row(Peer& peer, const RegionId& row, Outputs& out);
  void fail(Rank member, RingFault what, Outputs& out);

  Store& store_;
  HybridClock& clock_;
  const Rank me_;
  const size_t my_sender_;  // my place among the senders, or kNoSender
  ShardTable table_;
  EpochEnd end_;
  uint64_t copied_ = 0;  // my messages below may have come with a copied end: nobody told how
  LagWatch lag_;
  std::optional<LargeMulticast::Awaited> awaited_;  // when lags were last looked at
  LargeMulticast large_;
  std::vector<AlignedMemory> rings_;  // of the other senders
  std::unique_ptr<Sender> sender_;    // null: I send nothing
  std::vector<SenderStream> streams_;
  Answers answers_;
  std::vector<Peer> peers_;
  std::array<uint64_t, kMembersMax> received_{};  // messages by sender
  std::array<uint64_t, kMembersMax> changes_{};   // by sender: up to its newest that is no null
  std::array<uint64_t, kMembersMax> shown_{};     // by sender: ring position shown as delivered
  bool show_delivered_ = false;
  // Counts of sequences up to the newest message that is no null: of those taken in, of those
  // delivered. What comes behind it nobody waits for.
  uint64_t newest_change_ = 0;
  uint64_t delivered_change_ = 0;
  // Sequences received without a gap, but for nulls behind the newest change among them.
  uint64_t received_changes_ = 0;
  // As my row was pushed last.
  uint64_t shown_received_ = 0;
  uint64_t shown_persisted_ = 0;

  struct Checkpoint {
    uint64_t sequences;
    Version version;
  };
  FixedQueue<Checkpoint> checkpoints_{kCheckpointsMax};

  uint64_t delivered_ = 0;  // sequences
  size_t turn_ = 0;         // the sender whose message is next
  uint64_t synced_ = 0;     // sequences whose log records are on my disk
  uint64_t persisted_ = 0;  // sequences that are on every disk
  uint64_t visible_ = 0;    // those of them up to the version that is published as persisted
  Version dispatched_ = 0;
  Micros wall_ = 0;
  Status stopped_ = Status::kOk;
};

}  // namespace freshet

#endif  // FRESHET_CORE_SHARD_REPLICA_IMPL_H_
