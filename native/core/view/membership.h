// One member's part in the views: whom it suspects, how it goes from one view to the next with the
// others, and how long it may answer for what it holds.
//
// The protocol is native/core/README.md's, the model of it test/native/model. A view follows
// another by steps that each member shows in its row (view_table.h): the lowest seat in rank order
// that nobody suspects puts a view forward once a strict majority is agreed; all acknowledge it,
// wedge the epochs that it ends, decide on a trim of each, deliver it once the gate is open,
// prepare, and install what was committed. Members that fail are removed by a view that the core
// composes; whom to let in and where shards go is proposed from outside.
//
// Whoever owns it steps it whenever rows were written, at heartbeats and when a replica has moved;
// it drives the attached replicas to the end of their epochs.
//
// Thread: the agent's. Times are of one boot-time clock, ns.
// Invariants
//  1. What I acknowledged I never contradict: of two proposals the one with the later ballot is
//     taken, and in attempt n none put forward before it.
//  2. PREPARE is shown only after the owner said that the record of that very vote is durable.
//  3. A trim is handed to a replica only when a strict majority of the view shows it, all survivors
//     of the epoch do, and the gate is open.
//  4. One sequence of installed views, each acknowledged by a strict majority of the one before.
#ifndef FRESHET_CORE_VIEW_MEMBERSHIP_H_
#define FRESHET_CORE_VIEW_MEMBERSHIP_H_

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "native/core/disk_space.h"
#include "native/core/view/failure_detector.h"
#include "native/core/view/leases.h"
#include "native/core/view/view_table.h"

namespace freshet {

struct MembershipLimits {
  Nanos heartbeat = 50'000'000;
  Nanos lease = 400'000'000;
  DetectorLimits detector;
};

enum class MembershipEvent : uint8_t {
  // Make the new epochs of proposal(), fill those that have no history here and write the view's
  // record, then call prepared(). Of a view that was asked for before only the record is written
  // anew: others may have begun its epochs.
  kPrepare,
  kInstalled,  // view() is another one
  kBehind,     // a replica lacks what its trim covers: fill its store, then tell it filled()
  kOutdated,   // the others went on without this incarnation
};

class Membership {
 public:
  // A member of no view: blank, until a view lets it in or begin() is called.
  Membership(MemberId me, MembershipLimits limits);

  // The row of a peer, for it to write; to be granted before it connects.
  GrantedRegion open_peer(NodeId peer) { return table_.open(peer); }
  void close_peer(NodeId peer);
  void on_up(const MemberId& peer, Nanos now);
  void on_down(NodeId peer, Nanos now);
  void set_congested(NodeId peer, bool congested) { table_.set_congested(peer, congested); }

  // This view is installed at every member of it: a first start or a total restart. The peers
  // that are up may be suspected from now on. `attempt` is the same at all of them.
  void begin(const View& view, Nanos now);
  // A running epoch of mine in the view; those of a proposal once it is installed.
  void attach(ShardReplica& replica);
  // Nothing is read from or told to this replica any more.
  void detach(const ShardReplica& replica);

  // One pass; what it queues has to go out behind what the replicas' passes before it queued.
  // Returns how much was done.
  int step(Nanos now, uint64_t loop_beat, Outputs& out);
  // What happened, in order; empties the list.
  std::vector<MembershipEvent> take_events();

  // Was a replica told something since the last call that its next pass has to act upon?
  bool take_told() { return std::exchange(told_, false); }

  const MemberId& me() const { return me_; }
  const View& view() const { return view_; }  // number 0: blank
  // Acknowledged and not installed yet; null: none.
  const View* proposal() const { return pending_ && pending_->acked ? &pending_->view : nullptr; }
  // Names what kPrepare asked for last, and its ballot stands in the record.
  uint64_t vote() const;
  Ballot ballot() const { return pending_ ? pending_->ballot : 0; }
  // The record of this vote is durable, the new epochs can be written to. A stale vote is ignored.
  void prepared(uint64_t vote);

  // May this member propose a view now?
  bool leads() const;
  // Lets members in, out or moves shards; view() with one number more. kNotCurrent: it does not
  // lead, a view is under way, or who is to come is lost, silent, or has an event loop that stands
  // still. kInvalidArgument: it cannot follow view().
  Status propose(View next);
  // The owner found this member of the view too slow to be waited for: it is suspected like one
  // that is silent, and the others follow. kNotCurrent: a view is under way. kInvalidArgument: it
  // is no other member of the view, or without it no strict majority is left.
  Status accuse(NodeId node);
  // Has its heartbeat come in since?
  bool is_heard_since(NodeId node, Nanos since) const {
    return detector_.is_heard_since(node, since);
  }
  // What my disk has left, for the others to see; what another member's has, whether it is
  // suspected or not.
  void set_disk(const DiskSpace& space) { table_.set(ViewRow::kDisk, cell_of(space)); }
  DiskSpace disk_of(NodeId node) const { return disk_space_in(table_.hint(node, ViewRow::kDisk)); }
  // My own word that I go, once nothing is under way: the others need not find out.
  void leave();

  // Until then what is delivered here may be answered as current; LONG_AGO: not at all.
  Nanos lease_until() const;
  // Too few are here for the view, or for the one that is on its way, to go on.
  bool is_stuck() const;
  SeatSet suspects() const { return seats_in(table_.mine(ViewRow::kSuspicion)); }
  uint64_t attempt() const { return attempt_in(table_.mine(ViewRow::kSuspicion)); }
  Seat seat() const { return seat_; }

 private:
  struct Pending {
    View view;
    std::vector<std::byte> bytes;
    uint64_t identity = 0;
    Ballot ballot = 0;
    bool acked = false;
    Ballot asked = 0;        // of the last kPrepare
    bool promised = false;   // kPrepare was asked under any ballot
    bool committed = false;  // somebody has installed it
    Nanos gate_from = 0;  // a majority of the old view was first seen to have acknowledged; 0: not
  };
  // A proposal in somebody's row, decoded once.
  struct Standing {
    uint64_t vote = 0;
    Ballot ballot = 0;
    uint64_t identity = 0;
    View view;
    std::vector<std::byte> bytes;
  };
  struct Peer {
    MemberId id;
    bool up = false;
    Standing standing;
  };

  // membership.cc: rows, suspicion, attempts.
  bool is_blank() const { return view_.number == 0; }
  Peer* peer_at(Seat seat);
  const Peer* peer_at(Seat seat) const;
  uint64_t shown(Seat seat, size_t cell) const;
  uint64_t attempt_of_seat(Seat seat) const;
  SeatSet alive() const { return view_.seats() & ~suspects(); }
  void sit(const View& view);
  // Those of mine in whose epochs it is, to be told something about it.
  std::vector<ShardReplica*> replicas_of(NodeId node);
  void observe(uint64_t loop_beat, Nanos now);
  void suspect(SeatSet fresh);
  void suspect_lost(Nanos now);
  void share_suspicion();
  bool is_suspected_by_others() const;
  bool is_here(const MemberId& id) const;
  bool hears_majority(Nanos now) const;
  bool waits_for_history() const;
  void consider_attempt(Nanos now);
  void enter_attempt(uint64_t attempt, Nanos now);
  void beat(Nanos now, uint64_t loop_beat);
  bool is_agreed() const;

  // membership_change.cc: from one view to the next.
  Ballot my_ballot() const;
  const Standing* standing_of(Seat seat);
  const Standing* standing_of(Peer& peer);
  bool is_pending(const View& next) const;
  bool is_newer(const Standing& a, const Pending& b) const;
  void follow_installed();
  void acknowledge();
  void lead();
  bool can_finish(const View& next, SeatSet ready) const;
  bool is_dead() const;
  bool compose(View& next, bool drops) const;
  void put_forward(const View& view, std::vector<std::byte> bytes, Ballot ballot);
  void wedge_ending();
  bool can_withdraw() const;
  void withdraw(Nanos now);
  bool ends(size_t shard) const;
  void ask_to_prepare();
  SeatSet prepared_seats() const;
  bool has_histories(SeatSet ready) const;
  bool are_leavers_released() const;
  void commit();
  void install();
  void become_installed();
  void greet_late();

  // membership_end.cc: leases, the gate, trims.
  SeatSet survivors(size_t shard) const;
  SeatSet gone() const;
  void note_gate(Nanos now);
  void release(Nanos now);
  bool is_gate_open(Nanos now) const;
  void end_epochs(Nanos now, Outputs& out);
  void choose_trim(size_t shard);
  void copy_trim(size_t shard);
  bool is_trim_ready(size_t shard) const;
  void update_lease();

  const MemberId me_;
  const MembershipLimits limits_;
  ViewTable table_;
  FailureDetector detector_;
  Leases leases_;
  View view_;
  Seat seat_ = kNoSeat;
  std::optional<Pending> pending_;
  std::array<MemberId, kMembersMax> seated_{};  // who sits where, in the view or the proposal
  std::map<NodeId, Peer> peers_;
  std::map<ShardId, ShardReplica*> replicas_;
  std::vector<MembershipEvent> events_;
  Nanos now_ = 0;
  Nanos beat_at_ = 0;
  Nanos stuck_since_ = 0;
  Nanos attempt_since_ = 0;
  Nanos lease_until_ = INT64_MIN;
  SeatSet late_ = 0;  // who was not prepared when I installed the view
  bool told_ = false;
  bool isolated_ = false;
  bool leaving_ = false;
  bool outdated_ = false;
};

}  // namespace freshet

#endif  // FRESHET_CORE_VIEW_MEMBERSHIP_H_
