#include "native/core/view/view.h"

#include <algorithm>
#include <cstring>

#include "native/core/check.h"

namespace freshet {
namespace {

constexpr uint16_t kViewFormat = 1;
constexpr uint16_t kShardPersistent = 1;
constexpr uint16_t kShardClosed = 2;

class Encoder {
 public:
  explicit Encoder(MutableBytes out) : out_(out) {}

  template <typename T>
  void put(T value) {
    FRESHET_CHECK_VALUES(sizeof value <= out_.size(), sizeof value, out_.size());
    std::memcpy(out_.data(), &value, sizeof value);
    out_ = out_.subspan(sizeof value);
  }
  void put_bytes(Bytes bytes) {
    if (!bytes.empty()) std::memcpy(out_.data(), bytes.data(), bytes.size());
    out_ = out_.subspan(bytes.size());
  }
  size_t left() const { return out_.size(); }

 private:
  MutableBytes out_;
};

class Decoder {
 public:
  explicit Decoder(Bytes in) : in_(in) {}

  template <typename T>
  T get() {
    T value{};
    ok_ = ok_ && in_.size() >= sizeof value;
    if (!ok_) return value;
    std::memcpy(&value, in_.data(), sizeof value);
    in_ = in_.subspan(sizeof value);
    return value;
  }
  Bytes get_bytes(size_t size) {
    ok_ = ok_ && in_.size() >= size;
    if (!ok_) return {};
    const Bytes result = in_.first(size);
    in_ = in_.subspan(size);
    return result;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && in_.empty(); }

 private:
  Bytes in_;
  bool ok_ = true;
};

}  // namespace

SeatSet ViewShard::seats() const {
  SeatSet result = 0;
  for (const Seat seat : members) result |= seat_bit(seat);
  return result;
}

SeatSet View::seats() const {
  SeatSet result = 0;
  for (const ViewMember& member : members) result |= seat_bit(member.seat);
  return result;
}

Seat View::seat_of(const MemberId& id) const {
  for (const ViewMember& member : members)
    if (member.id == id) return member.seat;
  return kNoSeat;
}

const ViewMember* View::at(Seat seat) const {
  for (const ViewMember& member : members)
    if (member.seat == seat) return &member;
  return nullptr;
}

const ViewShard* View::find(ShardId shard) const {
  const size_t index = index_of(shard);
  return index == shards.size() ? nullptr : &shards[index];
}

size_t View::index_of(ShardId shard) const {
  const auto found = std::lower_bound(shards.begin(), shards.end(), shard,
                                      [](const ViewShard& a, ShardId b) { return a.shard < b; });
  if (found == shards.end() || found->shard != shard) return shards.size();
  return static_cast<size_t>(found - shards.begin());
}

namespace {

const char* shard_fault(const ViewShard& shard, SeatSet seats) {
  if (shard.epoch == 0) return "epoch 0";
  if (shard.members_min == 0 || shard.members_min > kMembersMax) return "least members";
  if (shard.closed) return shard.members.empty() && shard.senders.empty() ? "" : "closed members";
  if (shard.members.empty()) return "shard without members";
  if (shard.members.size() > kMembersMax) return "too many members of a shard";
  SeatSet taken = 0;
  for (const Seat seat : shard.members) {
    if (seat >= kMembersMax || !has_seat(seats, seat)) return "member of a shard alone";
    if (has_seat(taken, seat)) return "twice in a shard";
    taken |= seat_bit(seat);
  }
  if (shard.senders.empty()) return "shard without senders";
  for (size_t i = 0; i < shard.senders.size(); i++) {
    const bool ascends = i == 0 || shard.senders[i - 1] < shard.senders[i];
    if (!ascends || shard.senders[i] >= shard.members.size()) return "senders of a shard";
  }
  return "";
}

}  // namespace

const char* View::fault() const {
  if (number == 0 || parent >= number) return "number";
  if (members.empty() || members.size() > kMembersMax) return "number of members";
  if (shards.size() > kViewShardsMax) return "number of shards";
  if (extra.size() > kViewExtraMax) return "size";
  const size_t rings = ring < 32 ? ring_size(kRingSizeMin) : 0;
  if (rings < kRingSizeMin || rings > kRingSizeMax) return "size of rings";
  SeatSet taken = 0;
  for (size_t i = 0; i < members.size(); i++) {
    const ViewMember& member = members[i];
    if (member.seat >= kMembersMax || has_seat(taken, member.seat)) return "seats";
    taken |= seat_bit(member.seat);
    if (member.id.node == 0) return "node id 0";
    for (size_t j = 0; j < i; j++)
      if (members[j].id.node == member.id.node) return "duplicate node id";
  }
  for (size_t i = 0; i < shards.size(); i++) {
    if (i > 0 && shards[i - 1].shard >= shards[i].shard) return "order of shards";
    const char* fault = shard_fault(shards[i], taken);
    if (*fault != '\0') return fault;
  }
  return "";
}

size_t encoded_size(const View& view) {
  size_t size = 16 + view.members.size() * 16 + 4 + view.extra.size();
  for (const ViewShard& shard : view.shards)
    size += 12 + shard.members.size() + shard.senders.size();
  return size;
}

void encode_view(const View& view, MutableBytes out) {
  Encoder encoder(out);
  encoder.put(kViewFormat);
  encoder.put(static_cast<uint16_t>(view.members.size()));
  encoder.put(static_cast<uint16_t>(view.shards.size()));
  encoder.put(view.ring);
  encoder.put(view.number);
  encoder.put(view.parent);
  for (const ViewMember& member : view.members) {
    encoder.put(member.id.node);
    encoder.put(member.seat);
    encoder.put(member.id.incarnation);
  }
  for (const ViewShard& shard : view.shards) {
    encoder.put(shard.shard);
    encoder.put(shard.epoch);
    encoder.put(static_cast<uint8_t>((shard.persistent ? kShardPersistent : 0) |
                                     (shard.closed ? kShardClosed : 0)));
    encoder.put(shard.members_min);
    encoder.put(static_cast<uint8_t>(shard.members.size()));
    encoder.put(static_cast<uint8_t>(shard.senders.size()));
    for (const Seat seat : shard.members) encoder.put(static_cast<uint8_t>(seat));
    for (const Rank rank : shard.senders) encoder.put(static_cast<uint8_t>(rank));
  }
  encoder.put(static_cast<uint32_t>(view.extra.size()));
  encoder.put_bytes(view.extra);
  FRESHET_CHECK_VALUES(encoder.left() == 0, encoder.left(), out.size());
}

bool decode_view(Bytes bytes, View& out) {
  Decoder decoder(bytes);
  out = View();
  if (decoder.get<uint16_t>() != kViewFormat) return false;
  const auto members = decoder.get<uint16_t>();
  const auto shards = decoder.get<uint16_t>();
  out.ring = decoder.get<uint16_t>();
  out.number = decoder.get<uint32_t>();
  out.parent = decoder.get<uint32_t>();
  for (size_t i = 0; decoder.ok() && i < members; i++) {
    ViewMember member;
    member.id.node = decoder.get<uint32_t>();
    member.seat = decoder.get<uint32_t>();
    member.id.incarnation = decoder.get<uint64_t>();
    out.members.push_back(member);
  }
  for (size_t i = 0; decoder.ok() && i < shards; i++) {
    ViewShard shard;
    shard.shard = decoder.get<uint32_t>();
    shard.epoch = decoder.get<uint32_t>();
    const auto flags = decoder.get<uint8_t>();
    shard.members_min = std::max<uint8_t>(1, decoder.get<uint8_t>());
    shard.persistent = (flags & kShardPersistent) != 0;
    shard.closed = (flags & kShardClosed) != 0;
    const auto shard_members = decoder.get<uint8_t>();
    const auto senders = decoder.get<uint8_t>();
    for (size_t m = 0; m < shard_members; m++) shard.members.push_back(decoder.get<uint8_t>());
    for (size_t s = 0; s < senders; s++) shard.senders.push_back(decoder.get<uint8_t>());
    out.shards.push_back(std::move(shard));
  }
  const auto extra = decoder.get<uint32_t>();
  const Bytes rest = decoder.get_bytes(extra);
  out.extra.assign(rest.begin(), rest.end());
  return decoder.at_end() && *out.fault() == '\0';
}

}  // namespace freshet
