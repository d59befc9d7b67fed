// A view: the members of the cluster in rank order, and the epoch of every shard.
//
// Format of an encoded view, little endian, without gaps: format (u16), members (u16), shards
// (u16), ring (u16), number (u32), parent (u32); each member as node (u32), seat (u32),
// incarnation (u64); each shard as id (u32), epoch (u32), flags (u8), least members (u8; 0: 1),
// members (u8), senders (u8), then the seats of its members in rank order and the ranks of its
// senders, a byte each; the length of what the choices of membership add for themselves (u32), and
// that.
//
// A **seat** is a member's place in the rows of the view table (view_table.h). It is the member's
// as long as it is in the view; nobody gets it in the view that removes it.
//
// Thread: none; plain data.
#ifndef FRESHET_CORE_VIEW_VIEW_H_
#define FRESHET_CORE_VIEW_VIEW_H_

#include <bit>
#include <cstdint>
#include <vector>

#include "native/core/limits.h"
#include "native/core/types.h"

namespace freshet {

using Seat = uint32_t;     // below kMembersMax
using SeatSet = uint32_t;  // seats as bits

inline constexpr Seat kNoSeat = kMembersMax;
inline constexpr size_t kViewShardsMax = 256;
inline constexpr size_t kViewExtraMax = size_t{32} << 10;

constexpr SeatSet seat_bit(Seat seat) { return SeatSet{1} << seat; }
constexpr bool has_seat(SeatSet set, Seat seat) { return (set >> seat & 1) != 0; }
constexpr bool is_strict_majority(SeatSet got, SeatSet of) {
  return 2 * std::popcount(got & of) > std::popcount(of);
}

// One run of a member's process. Who comes back after a crash is another one.
struct MemberId {
  NodeId node = 0;
  uint64_t incarnation = 0;

  friend bool operator==(const MemberId&, const MemberId&) = default;
};

struct ViewMember {
  MemberId id;
  Seat seat = kNoSeat;

  friend bool operator==(const ViewMember&, const ViewMember&) = default;
};

struct ViewShard {
  ShardId shard = 0;
  Epoch epoch = 0;
  bool persistent = false;
  // Nobody runs it: nobody has its history, and it waits for an old member; or it was taken away,
  // and only keeps its place.
  bool closed = false;
  std::vector<Seat> members;  // in rank order; empty when closed
  std::vector<Rank> senders;  // ascending
  uint8_t members_min = 1;    // with fewer nothing is taken, or acknowledged

  SeatSet seats() const;
  friend bool operator==(const ViewShard&, const ViewShard&) = default;
};

struct View {
  uint32_t number = 0;  // 0: none
  uint32_t parent = 0;  // number of the view that it follows
  std::vector<ViewMember> members;
  std::vector<ViewShard> shards;  // by ascending id; those of the view before, and new ones behind
  // Log2 of the bytes of each ring of epochs that begin with it; 0: as the first view was begun.
  uint16_t ring = 0;
  std::vector<std::byte> extra;  // of the choices of membership: addresses, for example

  SeatSet seats() const;
  Seat seat_of(const MemberId& id) const;  // kNoSeat: no member
  const ViewMember* at(Seat seat) const;   // null: nobody sits there
  const ViewShard* find(ShardId shard) const;
  size_t index_of(ShardId shard) const;  // shards.size(): not there
  // Bytes of each ring of epochs that begin with it; `begun`: as the first view was begun with.
  size_t ring_size(size_t begun) const { return ring == 0 ? begun : size_t{1} << ring; }
  // "": possible. Else what is wrong, as a name.
  const char* fault() const;

  friend bool operator==(const View&, const View&) = default;
};

size_t encoded_size(const View& view);
// `out` has encoded_size() bytes.
void encode_view(const View& view, MutableBytes out);
// False: the bytes are no possible view; `out` is unspecified then.
bool decode_view(Bytes bytes, View& out);

}  // namespace freshet

#endif  // FRESHET_CORE_VIEW_VIEW_H_
