// One member's part in one epoch of one shard: byte rings in, one agreed order out.
//
// Senders multicast records through byte rings; members show in the shard's table how far they
// have received; what all have received is stable and is delivered in round-robin order, message i
// of sender r at sequence i * S + r (Derecho, ACM TOCS 36(2), 2019; batching and reactive nulls
// after Spindle, arXiv 2110.00886).
//
// Thread: the agent's, but for frontiers(), which any thread may read.
// Invariants
//  1. delivered_seq <= min over members of received_seq.
//  2. persisted_seq <= delivered_seq; the table shows persisted only after the sync.
//  3. A byte of my ring is reused only after every member has delivered its record.
//  4. A cell of the table never goes back.
//  5. A null is sent in reaction to another's message only; nulls are not applied or logged.
//  6. The frontier `changes` that readers see is published before a peer can see the counter.
//  7. Once wedged, what is delivered beyond the stable part is the ragged trim, all of it.
//
// Raw delivery (shard_replica_raw.cc; Derecho's unordered mode) has 3, 4 and 6 of these: a record
// is delivered when it is received, so members deliver in different orders, and what the store
// gives as versions counts deliveries here. Nothing waits for a turn, so there are no nulls. At the
// end of an epoch the trim says what all survivors have; beyond it, some have delivered more.
#ifndef FRESHET_CORE_SHARD_REPLICA_H_
#define FRESHET_CORE_SHARD_REPLICA_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "native/core/epoch_end.h"
#include "native/core/hybrid_clock.h"
#include "native/core/lag_watch.h"
#include "native/core/multicast_schedule.h"
#include "native/core/outputs.h"
#include "native/core/record.h"
#include "native/core/region.h"
#include "native/core/types.h"

namespace freshet {

class Store;

enum class Ack : uint8_t {
  kNone = 0,       // answered when queued
  kDelivered = 1,  // its place is fixed and every member of the shard has it in memory
  kPersisted = 2,  // it is on disk at every member of the shard
};

struct ShardConfig {
  ShardId shard = 0;
  Epoch epoch = 0;
  std::vector<NodeId> members;  // in rank order
  std::vector<Rank> senders;    // ascending ranks; not empty
  NodeId me = 0;
  size_t ring_size = kRingSizeMin;  // power of two
  bool persistent = false;
  // Delivered as received: by sender in its order, in none between senders. Not if persistent.
  bool raw = false;
  // How large records go (multicast_schedule.h), and in blocks of which size.
  MulticastAlgorithm multicast = MulticastAlgorithm::kBinomial;
  uint32_t block_size = kBlockSizeDefault;
  // A put is refused as OVERLOADED when the slowest dispatcher is this many versions behind.
  Version dispatch_lag_max = UINT64_MAX;
};

// Read by other threads to answer reads; monotone within an epoch.
struct Frontiers {
  std::atomic<Sequence> received{-1};   // contiguous global sequence received here
  std::atomic<Sequence> changes{-1};    // of it, up to the newest change: what a read waits for
  std::atomic<Sequence> delivered{-1};  // applied here
  std::atomic<Sequence> persisted{-1};  // synced at every member
  std::atomic<Version> delivered_version{0};
  std::atomic<Version> persisted_version{0};  // highest version synced at every member
  std::atomic<uint8_t> stopped{0};            // a Status: why the epoch ended, kOk while it runs
  std::atomic<bool> ended{false};             // delivered to the end that a view gave it
  std::atomic<bool> wedged{false};            // no linearizable read: what was received may go
};

// Which peer broke the protocol and how, when that ended the epoch here (kLogCorrupt).
struct ShardFault {
  NodeId peer = 0;        // 0: nobody did
  const char* what = "";  // a name of RingFault: "checksum", "row", ...
};

class ShardReplica {
 public:
  ShardReplica(ShardConfig config, Store& store, HybridClock& clock);
  ~ShardReplica();

  // Memory that others write. To be granted at every member before anyone begins; more is granted
  // and revoked by Outputs. When the epoch is over all that is told here then is revoked.
  std::vector<GrantedRegion> regions();
  // A region that Outputs revoked can not be written any more.
  void on_revoked(NodeId writer, const RegionId& region);
  // The epoch is installed: what earlier epochs left is on every disk, the view made sure of it.
  void begin();
  const ShardConfig& config() const;

  // Takes a change into the order. Its stamp is the greater of change.stamp, the last pass's wall
  // clock and all that the hybrid clock has seen. A record of at most inline_max() bytes, padded,
  // is copied before this returns; a larger one's value is read until its token appears in
  // Outputs::released (also with Ack::kNone), once it is delivered here.
  //   kOverloaded       no room in ring or queue, or dispatchers or disks too far behind: nothing
  //                     was taken
  //   kShardStopped     the epoch ended
  //   kNotAMember       this member is no sender of the epoch
  //   kValueTooLarge    over kValueSizeMax
  //   kKeyTooLong       over kKeySizeMax
  //   kInvalidArgument  over kMetaSizeMax, kPersisted in a volatile shard, a condition in a raw one
  // With kOk exactly one Completion with `token` follows, unless ack is kNone (then none). Of a raw
  // shard it comes without a version, once all members have delivered the record.
  Status submit(const Change& change, Ack ack, Token token);

  // Completes `token` once everything received here up to now is delivered (and, if `persisted` and
  // the shard is persistent, on disk everywhere): the wait of a linearizable read. The Completion
  // comes with a later pass and names the newest version; kOverloaded beyond kWaitersMax
  // (answers.h).
  void wait_current(Token token, bool persisted);

  // One pass: take in what the rings hold, react, deliver, answer, queue writes. Never waits.
  // Returns how much was done; 0 means that nothing will change without new input.
  int step(Micros wall, Outputs& out);

  // The local log is on disk up to the records of `sequence` of this epoch. Between passes.
  void on_synced(Sequence sequence);
  // My dispatchers have taken everything up to `version`. With a dispatch_lag_max it is to be
  // called once at start, as the count starts at 0.
  void set_dispatched(Version version);

  // What was delivered here is shown to the others in the next step, even if nothing else is. To be
  // called now and then (heartbeats), so that the sender of a few large records learns that it may
  // use their room again. False: all is shown.
  bool show_delivered();

  // Once a heartbeat: which members have made this one wait for at least `patience` (lag_watch.h)
  // is added to `out`. `is_heard` says of a peer whether its heartbeats go on.
  void watch_lag(Nanos now, Nanos patience, const std::function<bool(NodeId)>& is_heard,
                 std::vector<Lag>& out);

  // The end of the epoch by a change of view (epoch_end.h, view/membership.h): wedge, then
  // take_trim() once the view has decided, until step() has brought end_phase() to kEnded. Then
  // stop() answers what the trim cut off, and all that confirm() has not answered before.
  //
  // From now on nothing is sent or received; submissions are refused as kShardStopped, reads
  // answered with kNotCurrent.
  void wedge();
  // Nothing more is taken from this peer, until it is trusted. Before my suspicion is shown.
  void suspect(NodeId peer);
  void trust(NodeId peer);
  // What these members received of each sender, me among them, at the least. False: it is not final
  // at all of them.
  bool least_received(const std::vector<NodeId>& survivors, MessageCounts& least) const;
  void take_trim(const MessageCounts& trim, Outputs& out);
  // The view was committed without this member's part in it: kBehind.
  void miss_end();
  EndPhase end_phase() const;
  // Of one that is kBehind: the store was filled from a member at which this epoch has ended.
  // Callers whose changes came that way hear from stop() only.
  void filled();
  // Ended, and on this disk if the shard is persistent: what this member promises with PREPARE.
  bool is_prepared() const;
  // The next view is committed, so every survivor is prepared: what the trim delivered, and what
  // waited for disks, is answered.
  void confirm(Outputs& out);

  // Ended and confirmed: hands out, in their order, the submissions that the trim cut off, to be
  // submitted to the next epoch; not those that others may have delivered (of a raw shard, and of
  // one that was filled()), whose callers hear from stop(). The bytes are borrowed until this
  // returns, but for a large one's value (`large`): the caller's memory, which is not released here
  // any more.
  using Resubmit = std::function<void(const Change&, Ack, Token, bool large)>;
  void take_back(const Resubmit& resubmit);

  // A connection began: what was written to the peer before may be lost and is written again.
  void on_up(NodeId peer);
  // It has no memory for this epoch yet: nothing is written to it until it is released.
  void hold(NodeId peer);
  void release(NodeId peer);

  // Ends the epoch here: everything waiting is answered with `reason`, nothing more is sent,
  // received or delivered. Idempotent.
  void stop(Status reason, Outputs& out);

  const Frontiers& frontiers() const;
  const ShardFault& fault() const;
  size_t inline_max() const;

  // While a peer is congested nothing is written to it; what it lacks is kept as one range of the
  // ring and one of the row, and goes out in one piece when its backlog has drained.
  void set_congested(NodeId peer, bool congested);
  // No blocks of large records go to a peer while it is busy: what follows them would come later.
  void set_busy(NodeId peer, bool busy);
  // There are some that could go if nobody was.
  bool has_blocks() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_SHARD_REPLICA_H_
