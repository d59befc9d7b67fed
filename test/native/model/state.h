// The state of the model: what core/README.md calls rows, members, views and disks, in bytes, so
// that a state is copied, compared and hashed as it lies in memory.
//
// Up to five nodes and one shard. A view is an index into State::views; 0 means none. An epoch is
// named by the view that created it. Time is counted in ticks; a clock may lag the others by one
// tick in kDriftEvery. A row is pushed as a snapshot after every write; snapshots for one peer
// arrive in order, those not yet sent off merge into the newest.
#ifndef FRESHET_TEST_NATIVE_MODEL_STATE_H_
#define FRESHET_TEST_NATIVE_MODEL_STATE_H_

#include <array>
#include <bit>
#include <cstdint>

namespace freshet::model {

using Byte = uint8_t;
using Mask = uint8_t;  // a set of nodes

inline constexpr int kNodes = 5;
inline constexpr int kSenders = 2;  // the two lowest ranks of an epoch send
inline constexpr int kViews = 30;   // view 0 is none
inline constexpr int kFlight = 2;   // snapshots under way between two nodes
inline constexpr int kSentMax = 3;  // messages of one sender in one epoch
inline constexpr int kLogMax = 40;  // records
inline constexpr Byte kLease = 5;   // L in ticks
inline constexpr Byte kDriftEvery = 6;
inline constexpr Byte kLapse = 6;  // L(1 + drift)
inline constexpr Byte kNever = 255;
inline constexpr Byte kClockMax = 240;

static_assert(kViews * 8 <= 256, "a record is named by epoch, sender and index in one byte");
static_assert(kLapse * (kDriftEvery - 1) >= kLease * kDriftEvery, "a lagging lease lapses in time");

constexpr Byte byte(int value) { return static_cast<Byte>(value); }
constexpr Mask bit(int node) { return static_cast<Mask>(1 << node); }
constexpr bool has(Mask set, int node) { return (set >> node & 1) != 0; }
constexpr int count(Mask set) { return std::popcount(set); }
constexpr Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }
constexpr Mask either(Mask a, Mask b) { return static_cast<Mask>(a | b); }
constexpr Mask minus(Mask a, Mask b) { return static_cast<Mask>(a & ~b); }
constexpr bool is_majority(Mask got, Mask of) { return 2 * count(both(got, of)) > count(of); }
constexpr int lowest(Mask set) { return set == 0 ? kNodes : std::countr_zero(set); }

// A proposal, committed or not. Never changes once it is in State::views.
struct View {
  Byte number;
  Byte parent;        // the view that it follows
  Mask members;       // rank order is node order
  Mask shard;         // the members of the shard's epoch
  Byte epoch;         // the view that created the shard's epoch
  Byte epoch_number;  // what its members call that epoch: two views may give one number
  Byte is_restart;
  // Of a restart view: what it goes on from besides its parent, and how far its members are.
  Byte base;            // the newest committed view; the parent, unless that was prepared alone
  Byte adopted_ballot;  // of the parent, when it was prepared alone
  Byte donor;           // the node with the longest history
  Mask filled_by;
  Mask adopted_by;
  // What the checker alone sees: who acknowledged and who prepared it, ever.
  Mask acked_by;
  Mask prepared_by;
  Byte committed;
  Byte begun;        // by somebody who is in its epoch
  Byte base_length;  // the history with which its epoch began there
};

// One member's row, view table and shard table in one.
struct Row {
  Byte life;  // incarnation
  Byte attempt;
  Mask suspected;  // within the attempt
  Byte stamp;
  std::array<Byte, kNodes> echo;
  Byte lease_dropped;  // the attempt in which it saw itself suspected
  Mask released;
  Byte proposed;
  Byte ballot;  // (attempt, leader) that last put `proposed` forward
  Byte acked;
  Byte prepared;
  Byte prepared_ballot;
  Mask prepared_for;  // leaders under whose ballots it prepared a successor of its view
  Byte installed;
  Byte wedged;  // the epoch in which it stopped receiving
  Byte epoch;   // the epoch that the next three belong to; 0 for none
  Byte sent;
  std::array<Byte, kSenders> received;
  Byte persisted;    // log length synced
  Byte trim_epoch;   // the epoch that the trim ends
  Byte trim_ballot;  // (attempt, leader) that last put the trim forward
  std::array<Byte, kSenders> trim;
};

struct Disk {
  Byte committed;        // newest view record marked committed
  Byte prepared;         // newest view record marked prepared
  Byte prepared_ballot;  // (attempt, leader) under which
  Byte prepared_at;      // its number, or that of a restart that adopted it
  Byte incomplete;       // the epoch it was installed into without a donor
  Byte promised;         // highest number of a restart view it offered its records for
  Byte synced;           // records that survive a crash
};

enum class Phase : Byte { kUp, kDown, kBooted };

struct Member {
  Phase phase;
  Byte clock;
  Byte drift_wait;  // ticks until this clock may lag again
  std::array<Row, kNodes> table;
  std::array<Byte, kNodes> echoed_at;
  std::array<Byte, kNodes> heard_attempt;  // of those suspected, too
  Byte lease_from;                         // stamps up to this one give no lease
  Byte gate_from;       // when a majority of the old view was first seen to acknowledge
  Byte start_at;        // nothing is delivered or answered before, after a restart
  Byte delivered;       // sequences of this epoch
  Byte trim_delivered;  // the epoch ended here by its trim
  Byte base;            // log length when the epoch began
  Byte length;          // of the log: everything delivered
  std::array<Byte, kLogMax> log;
  Byte round;  // the restart view it takes part in
  Byte reading;
  Byte read_epoch;
  Byte read_need;   // log length that the read waits for
  Byte read_floor;  // ghost: what was shown before it began
  Byte read_since;  // ghost: the beginning whose records that were
  Disk disk;
};

struct State {
  std::array<View, kViews> views;
  Byte view_count;
  Byte persistent;
  Mask layout;  // who is ever given the shard; after a restart all of them have it
  std::array<Member, kNodes> members;
  std::array<std::array<std::array<Row, kFlight>, kNodes>, kNodes> flight;  // [from][to]
  std::array<std::array<Byte, kNodes>, kNodes> in_flight;
  // Ghosts: what was ever delivered, by log position, and how much of it was shown.
  std::array<Byte, kLogMax> history;
  Byte history_length;
  Byte shown;
  // The newest committed view that begins the history anew: a restart, or a volatile shard that
  // lost all its members and is empty.
  Byte last_beginning;
};

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_STATE_H_
