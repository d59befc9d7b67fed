#include "native/core/large_multicast.h"

#include <algorithm>
#include <cstring>

#include "native/core/check.h"
#include "native/core/checksum.h"
#include "native/core/rank_set.h"
#include "native/core/shard_replica.h"

namespace freshet {
LargeMulticast::LargeMulticast(const ShardConfig& config, Rank me, ShardTable& table, Store& store)
    : config_(config),
      senders_(config.senders),
      me_(me),
      members_(static_cast<uint32_t>(config.members.size())),
      table_(table),
      store_(store),
      slots_(config.senders.size() * kTransfersMax),
      counts_(config.senders.size()),
      lost_(config.members.size()) {}

LargeMulticast::Transfer* LargeMulticast::find(size_t s, uint64_t number) {
  auto& slot = slots_[slot_of(s, number)];
  return slot && slot->number == number ? slot.get() : nullptr;
}

const LargeMulticast::Transfer* LargeMulticast::find(size_t s, uint64_t number) const {
  const auto& slot = slots_[slot_of(s, number)];
  return slot && slot->number == number ? slot.get() : nullptr;
}

// In a schedule the sender comes first, the others behind it in the order of ranks.
uint32_t LargeMulticast::index_of(size_t s, Rank rank) const {
  return (rank + members_ - senders_[s]) % members_;
}

Rank LargeMulticast::rank_of(size_t s, uint32_t index) const {
  return static_cast<Rank>((index + senders_[s]) % members_);
}

RegionId LargeMulticast::region_of(size_t s, const Transfer& transfer) const {
  return {RegionKind::kBlocks, static_cast<uint16_t>(senders_[s]), config_.shard, config_.epoch,
          static_cast<uint32_t>(transfer.number)};
}

Bytes LargeMulticast::block_of(const Transfer& transfer, uint32_t block) const {
  const size_t from = size_t{block} * transfer.block_size;
  const size_t size = std::min<size_t>(transfer.block_size, transfer.value.size() - from);
  return transfer.value.subspan(from, size);
}

bool LargeMulticast::is_whole(const Transfer& transfer) {
  return transfer.machine.has_all() && transfer.checked == transfer.value.size() &&
         transfer.granted == 0 && transfer.revoked == 0;
}

bool LargeMulticast::has_room(size_t mine, size_t length) const {
  size_t bytes = 0;
  for (size_t i = 0; i < kTransfersMax; i++) {
    const auto& slot = slots_[mine * kTransfersMax + i];
    if (slot) bytes += slot->record.size();
  }
  if (slots_[slot_of(mine, counts_[mine].offered + 1)]) return false;
  return bytes == 0 || bytes + length <= kTransferBytesMax;
}

// With each block rows go to all members: of many blocks half as many are worth a longer start.
uint32_t LargeMulticast::block_size_of(size_t value_size) const {
  const uint32_t size = config_.block_size;
  const bool many = value_size > size_t{kManyBlocks} * size;
  return many && 2 * size <= kBlockSizeMax ? 2 * size : size;
}

OfferBody LargeMulticast::begin(size_t mine, Bytes head, Bytes value) {
  FRESHET_CHECK(has_room(mine, head.size() + value.size()));
  OfferBody offer = {};
  offer.number = ++counts_[mine].offered;
  offer.block_size = block_size_of(value.size());
  offer.algorithm = static_cast<uint8_t>(config_.multicast);
  open(mine, offer, head, head.size() + value.size()).source = value;
  return offer;
}

LargeMulticast::Transfer& LargeMulticast::open(size_t s, const OfferBody& offer, Bytes head,
                                               size_t length) {
  const size_t slot = slot_of(s, offer.number);
  const MutableBytes room = store_.reserve_large(static_cast<uint32_t>(slot), length);
  FRESHET_CHECK_VALUES(room.size() >= length, room.size(), length);
  std::memcpy(room.data(), head.data(), head.size());
  const size_t value_size = length - head.size();
  const auto blocks = static_cast<uint32_t>((value_size + offer.block_size - 1) / offer.block_size);
  const MulticastSchedule schedule(static_cast<MulticastAlgorithm>(offer.algorithm), members_,
                                   blocks);
  const uint32_t crc =
      crc32c(head.data() + sizeof(RecordHeader), head.size() - sizeof(RecordHeader));
  FRESHET_CHECK_VALUES(slots_[slot] == nullptr, slot, offer.number);
  under_way_++;
  slots_[slot] =
      std::make_unique<Transfer>(Transfer{.number = offer.number,
                                          .machine = BlockTransfer(schedule, index_of(s, me_)),
                                          .block_size = offer.block_size,
                                          .record = room.first(length),
                                          .value = room.subspan(head.size(), value_size),
                                          .source = {},
                                          .checked = 0,
                                          .crc = crc,
                                          .granted = 0,
                                          .revoked = 0});
  Transfer& transfer = *slots_[slot];
  for_each_rank(schedule.sources(index_of(s, me_)),
                [&](uint32_t index) { transfer.granted |= RankSet{1} << rank_of(s, index); });
  for_each_rank(transfer.granted, [&](Rank rank) {
    to_grant_.push_back({config_.members[rank], region_of(s, transfer), transfer.value});
  });
  show(slot, transfer);
  return transfer;
}

bool LargeMulticast::is_sent(size_t mine, uint64_t number) const {
  const Transfer* transfer = find(mine, number);
  FRESHET_CHECK_VALUES(transfer != nullptr, mine, number);
  if (!is_whole(*transfer) || !transfer->machine.has_sent_all()) return false;
  // In order all have it when it is delivered; a raw shard delivers a place at once.
  return !config_.raw || transfer->machine.all_have();
}

uint32_t LargeMulticast::payload_crc(size_t mine, uint64_t number) const {
  return find(mine, number)->crc;
}

RingFault LargeMulticast::take_offer(size_t s, const RecordHeader& header, const std::byte* payload,
                                     bool& waits, Micros& time) {
  if (header.length < sizeof header + sizeof(OfferBody) + sizeof(RecordHeader))
    return RingFault::kBlock;
  OfferBody offer;
  std::memcpy(&offer, payload, sizeof offer);
  RecordHeader whole;
  const Bytes head{payload + sizeof offer, header.length - sizeof header - sizeof offer};
  std::memcpy(&whole, head.data(), sizeof whole);
  if (!header_crc_matches(whole)) return RingFault::kChecksum;
  if (whole.length != header.version || !is_change(whole.kind) || !parts_fit(whole))
    return RingFault::kBlock;
  if (whole.shard != config_.shard || whole.epoch != config_.epoch) return RingFault::kEpoch;
  if (whole.time < 0 || whole.time > kTimeMax) return RingFault::kTime;
  if (head.size() != head_length(whole) || whole.length == head.size()) return RingFault::kBlock;
  if (offer.number != counts_[s].offered + 1) return RingFault::kBlock;
  if (offer.block_size < kBlockSizeMin || offer.block_size > kBlockSizeMax ||
      offer.algorithm >= kMulticastAlgorithms)
    return RingFault::kBlock;
  time = whole.time;
  waits = slots_[slot_of(s, offer.number)] != nullptr;
  if (waits) return RingFault::kNone;
  counts_[s].offered = offer.number;
  open(s, offer, head, whole.length);
  return RingFault::kNone;
}

RingFault LargeMulticast::take_place(size_t s, const RecordHeader& header, bool& waits) {
  Counts& counts = counts_[s];
  if (header.version != counts.placed + 1 || header.version > counts.offered)
    return RingFault::kBlock;
  const Transfer* transfer = find(s, counts.placed + 1);
  FRESHET_CHECK(transfer != nullptr);
  waits = !is_whole(*transfer);
  if (waits) return RingFault::kNone;
  if (transfer->crc != header.payload_crc) return RingFault::kRelayed;
  counts.placed++;
  return RingFault::kNone;
}

RingFault LargeMulticast::deliver(size_t s, const RecordHeader& place, Sequence sequence,
                                  bool trimmed, Applied& applied, size_t& cost) {
  Counts& counts = counts_[s];
  const uint64_t number = counts.delivered + 1;
  const bool is_placed = is_mine(s) || number <= counts.placed;
  if (place.version != number || !is_placed) return RingFault::kBlock;
  const auto slot = static_cast<uint32_t>(slot_of(s, number));
  const Transfer* transfer = find(s, number);
  FRESHET_CHECK(transfer != nullptr && is_whole(*transfer));
  reinterpret_cast<RecordHeader*>(transfer->record.data())->payload_crc = transfer->crc;
  // What all have received is in nobody's queue any more.
  const bool is_read = trimmed && !transfer->machine.is_confirmed();
  applied = store_.apply_large(slot, config_.epoch, sequence, is_read);
  if (is_read || store_.copies_large(transfer->record.size())) cost += transfer->record.size();
  if (is_read) abandoned_.push_back(store_.abandon_large(slot));
  counts.delivered = number;
  forget(slot);
  return RingFault::kNone;
}

std::vector<GrantedRegion> LargeMulticast::regions() const {
  std::vector<GrantedRegion> result;
  for (size_t i = 0; i < slots_.size(); i++) {
    if (!slots_[i]) continue;
    const Transfer& transfer = *slots_[i];
    for_each_rank(transfer.granted, [&](Rank rank) {
      result.push_back(
          {config_.members[rank], region_of(i / kTransfersMax, transfer), transfer.value});
    });
  }
  return result;
}

void LargeMulticast::forget(size_t slot) {
  slots_[slot].reset();
  under_way_--;
}

void LargeMulticast::on_revoked(NodeId writer, const RegionId& region) {
  for (size_t i = 0; i < slots_.size(); i++) {
    if (!slots_[i] || region_of(i / kTransfersMax, *slots_[i]) != region) continue;
    for_each_rank(slots_[i]->revoked, [&](Rank rank) {
      if (config_.members[rank] == writer) slots_[i]->revoked &= ~(RankSet{1} << rank);
    });
  }
}

void LargeMulticast::stop() {
  for (size_t i = 0; i < slots_.size(); i++)
    if (slots_[i]) abandoned_.push_back(store_.abandon_large(static_cast<uint32_t>(i)));
}

}  // namespace freshet
