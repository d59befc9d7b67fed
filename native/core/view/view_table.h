// The shared table of the members: one row a member, pushed to everyone it is connected with, that
// says who lives, whom it suspects and how far it is with the next view.
//
// Format. A row is an array of 8-byte cells, little endian, in the groups below, then one encoded
// view (view.h). Groups are pushed from the last to the first, so that a cell is seen no earlier
// than what it vouches for: a vote not before its content, an echo not before the votes. A row
// belongs to an incarnation and outlives views; what is said of a seat holds for who sits there in
// the view that the row shows as installed.
//
//   beats    stamp            my boot-time clock, ns, when I sent this heartbeat
//            changes          count of changes of the other groups
//            loop_beat        turns of my event loop
//            lease_dropped    attempt in which I saw myself suspected: waives promises to me
//            disk             room of my disk (disk_space.h)
//            incarnation      whose row this is; the last of its group, so that a row that shows it
//            is
//                             whole
//            echo[seat]       the newest stamp seen of it: a promise, see leases.h
//   votes    suspicion        attempt << 16 | the seats that I suspect in it
//            proposed         vote for the proposal in my row, with its ballot
//            acked            identity of the proposal that I acknowledged, whatever its ballot
//            acked_number     its number
//            prepared         vote for the proposal that I am prepared for
//            installed        number of my view, and its identity
//            wedged[shard]    the epoch in which I stopped sending and receiving
//            trim[shard]      vote for the trim in my row
//   content  released         seats to which my promises have lapsed; of `acked`
//            ballot, size     of the proposal
//            asked_by         number of my view << 32 | the leaders for whom I may have prepared
//                             what follows it, as seats: seen no later than a new attempt
//            trims[shard]     ballot, epoch, count of each sender
//   slot     the proposal
//
// Shards are named by their index in the view, which is the same in all views that follow each
// other: new shards stand behind the others, those that were taken away stay there, closed. A vote
// is a hash of what it is for, so that one cell decides whether the rest of the row belongs to it.
//
// Thread: the agent's; rows of others are written by the transport at any time.
// Invariants
//  1. Only I write my row.
//  2. Of a peer that is suspected nothing is taken in but its attempt, its lease_dropped and its
//     stamp: look() leaves the rest as it was.
#ifndef FRESHET_CORE_VIEW_VIEW_TABLE_H_
#define FRESHET_CORE_VIEW_VIEW_TABLE_H_

#include <array>
#include <memory>
#include <vector>

#include "native/core/aligned_memory.h"
#include "native/core/outputs.h"
#include "native/core/shard_replica.h"
#include "native/core/shard_table.h"
#include "native/core/view/view.h"

namespace freshet {

inline constexpr size_t kViewSlotSize = size_t{64} << 10;

// Indexes of cells in a row.
struct ViewRow {
  static constexpr size_t kStamp = 0;
  static constexpr size_t kChanges = 1;
  static constexpr size_t kLoopBeat = 2;
  static constexpr size_t kLeaseDropped = 3;
  static constexpr size_t kDisk = 4;
  static constexpr size_t kEcho = 8;  // + seat
  static constexpr size_t kIncarnation = kEcho + kMembersMax;

  static constexpr size_t kVotes = kIncarnation + 1;
  static constexpr size_t kSuspicion = kVotes;
  static constexpr size_t kProposed = kVotes + 1;
  static constexpr size_t kAcked = kVotes + 2;
  static constexpr size_t kAckedNumber = kVotes + 3;
  static constexpr size_t kPrepared = kVotes + 4;
  static constexpr size_t kInstalled = kVotes + 5;
  static constexpr size_t kInstalledAs = kVotes + 6;
  static constexpr size_t kWedged = kVotes + 8;              // + shard
  static constexpr size_t kTrim = kWedged + kViewShardsMax;  // + shard

  static constexpr size_t kContent = kTrim + kViewShardsMax;
  static constexpr size_t kReleased = kContent;
  static constexpr size_t kBallot = kContent + 1;
  static constexpr size_t kProposalBytes = kContent + 2;
  static constexpr size_t kAskedBy = kContent + 3;
  static constexpr size_t kTrims = kContent + 8;
  static constexpr size_t kTrimCells = 2 + kMembersMax;  // ballot, epoch, counts
  static constexpr size_t trim_of(size_t shard) { return kTrims + shard * kTrimCells; }

  static constexpr size_t kSlot = (kTrims + kViewShardsMax * kTrimCells + 7) & ~size_t{7};
  static constexpr size_t kCells = kSlot + kViewSlotSize / sizeof(uint64_t);
  static constexpr size_t kSize = kCells * sizeof(uint64_t);

  // Where the groups begin, in the order in which they lie; they are pushed the other way round.
  static constexpr std::array<size_t, 6> kGroups = {0, kVotes, kContent, kTrims, kSlot, kCells};
};
static_assert(ViewRow::kSlot * sizeof(uint64_t) % kRecordAlignment == 0);

// Who put something forward, and in which attempt: later ones win. Within an attempt one follows
// another in rank order.
using Ballot = uint64_t;
constexpr Ballot make_ballot(uint64_t attempt, Rank rank) { return attempt << 8 | (rank + 1); }
constexpr uint64_t attempt_of(Ballot ballot) { return ballot >> 8; }
constexpr Rank leader_of(Ballot ballot) { return static_cast<Rank>((ballot & 0xff) - 1); }

constexpr uint64_t make_suspicion(uint64_t attempt, SeatSet seats) { return attempt << 16 | seats; }
constexpr uint64_t attempt_in(uint64_t suspicion) { return suspicion >> 16; }
constexpr SeatSet seats_in(uint64_t suspicion) { return suspicion & 0xffff; }

constexpr uint64_t make_asked_by(uint32_t number, SeatSet leaders) {
  return uint64_t{number} << 32 | leaders;
}

// The ragged trim of a shard, as it stands in somebody's row.
struct Trim {
  Ballot ballot = 0;
  Epoch epoch = 0;
  std::array<uint64_t, kMembersMax> counts{};  // by sender

  friend bool operator==(const Trim&, const Trim&) = default;
};

class ViewTable {
 public:
  explicit ViewTable(uint64_t incarnation);
  ~ViewTable();

  // A peer's row, for it to write. To be granted before it connects.
  GrantedRegion open(NodeId peer);
  void close(NodeId peer);

  // My row.
  uint64_t mine(size_t cell) const;
  void set(size_t cell, uint64_t value);
  // Takes a proposal over; `proposed` shows it.
  void set_proposal(Ballot ballot, Bytes encoded);
  Bytes my_proposal() const;
  void set_trim(size_t shard, const Trim& trim);
  Trim my_trim(size_t shard) const;

  // Takes in what the peers' rows show now.
  void look();
  // Nothing more is taken in from this peer, but for what invariant 2 names.
  void freeze(NodeId peer, bool frozen);
  // A cell as last taken in; 0 for a stranger.
  uint64_t seen(NodeId peer, size_t cell) const;
  // A cell as it stands now, also of a peer that is suspected: worth a hint and no more.
  uint64_t hint(NodeId peer, size_t cell) const;
  // The trim that this row's vote is for; false: none is seen whole.
  bool seen_trim(NodeId peer, size_t shard, Trim& out) const;
  // The proposal that this row's `proposed` is for; false: it is not whole yet.
  bool seen_proposal(NodeId peer, Ballot& ballot, std::vector<std::byte>& out) const;

  // What stands in this row now, whether the peer is suspected or not. True: it is what the row
  // shows as installed.
  bool installed_proposal(NodeId peer, std::vector<std::byte>& out) const;

  // Queues what changed to every peer that is up and not held back. Returns how many writes.
  int push(Outputs& out);
  // It gets the whole row with the next push: a connection began, writes before it may be lost.
  // Of another incarnation than the one before what was taken in is forgotten.
  void on_up(NodeId peer, uint64_t incarnation);
  void on_down(NodeId peer);
  void set_congested(NodeId peer, bool congested);

  static uint64_t vote_for(Ballot ballot, uint64_t identity);
  static uint64_t identity_of(Bytes encoded);
  static uint64_t vote_for(const Trim& trim);

 private:
  static constexpr size_t kGroupCount = ViewRow::kGroups.size() - 1;
  struct Peer;

  Peer* find(NodeId peer) const;
  void copy_beats(Peer& peer);
  void copy_rest(Peer& peer);
  void push_to(Peer& peer, Outputs& out);

  AlignedMemory row_;
  std::array<CellRange, kGroupCount> changed_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_VIEW_VIEW_TABLE_H_
