// The views at this member: joins the membership (core/view) with the peers, the shards and the
// record on disk.
//
// Thread: the agent's, but for the snapshot.
// Invariants
//  1. A PREPARE is shown only after the memory of the new epochs was granted and the record
//  written.
//  2. A replica is attached to the membership as long as its epoch is that of the view.
//  3. Without a view (before begin(), and where none is ever begun) everything here is idle.
#ifndef FRESHET_AGENT_VIEW_HOST_H_
#define FRESHET_AGENT_VIEW_HOST_H_

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "native/agent/row_output.h"
#include "native/agent/shard_host.h"
#include "native/core/view/membership.h"

namespace freshet {

// What the event loop may read of the views at any time.
struct ViewSnapshot {
  std::vector<std::byte> installed;  // encoded; empty: none
  std::vector<std::byte> proposal;   // encoded; empty: none
  uint64_t vote = 0;                 // of the proposal
  uint64_t attempt = 0;
  SeatSet suspects = 0;
  bool leads = false;
  bool stuck = false;           // too few are here to go on
  std::vector<ShardId> behind;  // shards that lack the end of their epoch
};

class SharedView {
 public:
  std::shared_ptr<const ViewSnapshot> get() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
  }
  void set(std::shared_ptr<const ViewSnapshot> snapshot) {
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(snapshot);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ViewSnapshot> snapshot_ = std::make_shared<ViewSnapshot>();
};

// What a row of kind kView tells.
enum class ViewNotice : uint8_t {
  kChanged = 1,   // the snapshot is another one
  kFill = 2,      // fill the shards that the proposal gives me, then call filled()
  kOutdated = 3,  // the others went on without me: renew() and ask to be let in
  kBehind = 4,    // a shard lacks what the trim of its epoch covers: fill it, then say caught_up()
  kFailed = 5,    // my disk failed: without me the others go on
};

// What lies on disk of the views (`view` in the data folder), little endian: format (u32), number
// of the restart that adopted the prepared view (u32; 0, as the core writes it: none), ballot of
// the prepared view (u64), bytes of the committed view (u32; 0: none), of the prepared one (u32; 0:
// none), the two as in core/view/view.h, then the CRC32C of all that (u32).
// platform/group/view-record.ts reads and writes it too.
std::vector<std::byte> encode_view_record(const View& committed, const View* prepared,
                                          Ballot ballot);

class ViewHost {
 public:
  struct Context {
    NodeId me;
    MembershipLimits limits;
    Transport& transport;
    RowOutput& rows;
    SharedView& shared;
    std::atomic<Nanos>& lease_until;
    std::function<ShardHost*(ShardId)> find;
    // Writes a record; recorded(vote) follows when it is durable, not_recorded(vote) if it cannot
    // be. Null: there is no disk.
    std::function<void(std::vector<std::byte> record, uint64_t vote)> write;
  };

  ViewHost(Context context, uint64_t incarnation);

  // Is there a view, so that losing a peer is its affair?
  bool has_view() const { return membership_->view().number != 0; }
  uint64_t incarnation() const { return membership_->me().incarnation; }
  const Membership& membership() const { return *membership_; }
  void add_peer(NodeId node);
  void forget_peer(NodeId node);
  void on_event(const PeerEvent& event, Nanos now);
  void set_congested(NodeId peer, bool congested) { membership_->set_congested(peer, congested); }

  bool can_begin(const View& view) const;
  // From now on what shards hold is answered as current under the lease of a view alone, which no
  // member has when its first view begins.
  void need_lease();
  // The view is installed at all its members: their epochs run, or are begun now. Rings have
  // `ring_size` bytes from now on. kInvalidArgument: not a possible view of mine.
  Status begin(const View& view, size_t ring_size, Nanos now);
  Status propose(const View& next);
  // The shards of the proposal with this vote are filled here. Rings have `ring_size` bytes, as the
  // other members' have: who joins has not called begin().
  void filled(uint64_t vote, size_t ring_size);
  void recorded(uint64_t vote);
  // The record of this vote could not be written.
  void not_recorded(uint64_t vote);
  // A log of mine failed, or a record: I go, as I cannot go along.
  void on_disk_failed();
  // As Membership::accuse.
  Status accuse(NodeId node);
  bool is_heard_since(NodeId node, Nanos since) const {
    return membership_->is_heard_since(node, since);
  }
  // As Membership's.
  void set_disk(const DiskSpace& space);
  DiskSpace disk_of(NodeId node) const { return membership_->disk_of(node); }
  const std::vector<NodeId>& peers() const { return peers_; }
  // An epoch ended here by itself (its log failed, a peer broke the protocol): without it this
  // member is none of the view.
  void on_stopped(const ShardReplica& replica);
  // My own word that I go: the others go on without me as soon as nothing is under way.
  void leave();
  // Forgets the view: this member is another incarnation from now on. Epochs are ended by the
  // owner.
  void renew(uint64_t incarnation);

  // One pass; behind those of the shards. Returns how much was done.
  int step(Nanos now, uint64_t loop_beat);
  bool dirty = true;  // rows were written, a peer came or went, a shard moved
  bool is_changing() const { return membership_->proposal() != nullptr; }

 private:
  void grant(NodeId node);
  void take_events();
  void on_prepare();
  void prepare_epochs();
  void on_installed();
  void publish();
  void notify(ViewNotice what);
  EpochOptions options_of(const View& view, const ViewShard& shard) const;

  const Context context_;
  std::unique_ptr<Membership> membership_;
  std::vector<NodeId> peers_;
  size_t ring_size_ = kRingSizeMin;
  DiskSpace disk_;
  uint64_t to_fill_ = 0;    // vote that waits for filled()
  uint64_t to_record_ = 0;  // vote whose record is being written
  bool leads_ = false;
  bool stuck_ = false;
  uint64_t suspicion_ = 0;  // attempt and suspects, as last published
  Outputs out_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_VIEW_HOST_H_
