// The blocks of large messages: taking in, checking, sending.
#include <algorithm>

#include "native/core/check.h"
#include "native/core/checksum.h"
#include "native/core/large_multicast.h"
#include "native/core/rank_set.h"
#include "native/core/shard_replica.h"
#include "native/core/work_meter.h"

namespace freshet {
namespace {

// A cell: the transfer's number above the count of steps. More large records of one sender than
// numbers fit would take an epoch years.
constexpr uint32_t kStepBits = 24;
static_assert(kValueSizeMax / kBlockSizeMin * kMembersMax < size_t{1} << kStepBits);

uint64_t cell_of(uint64_t number, uint32_t steps) {
  FRESHET_CHECK_VALUES(number >> (64 - kStepBits) == 0, number, steps);
  return number << kStepBits | steps;
}

constexpr uint64_t number_in(uint64_t cell) { return cell >> kStepBits; }
constexpr uint32_t steps_in(uint64_t cell) {
  return static_cast<uint32_t>(cell & ((uint64_t{1} << kStepBits) - 1));
}

}  // namespace

int LargeMulticast::step(Outputs& out, Rank& broken) {
  int work = 0;
  broken = static_cast<Rank>(members_);
  size_t bytes = kCopySlice;
  const size_t first = checks_;
  for (size_t i = 0; i < senders_.size(); i++) {
    const size_t s = (first + i) % senders_.size();
    for (uint32_t next = 1; next <= kTransfersMax; next++) {
      Transfer* transfer = find(s, counts_[s].delivered + next);
      if (transfer == nullptr) continue;
      const size_t slot = slot_of(s, transfer->number);
      if (!look(slot, *transfer, broken)) return work + 1;
      work += static_cast<int>(transfer->machine.take());
      const size_t done = check(*transfer, bytes);
      bytes -= done;
      if (done > 0) {
        checks_ = (s + 1) % senders_.size();
        work++;
      }
      if (transfer->granted != 0 && transfer->machine.has_all()) {
        revoke(s, *transfer, out);
        work++;
      }
      show(slot, *transfer);
    }
  }
  return work;
}

int LargeMulticast::send(RankSet held, Outputs& out) {
  int sends = 0;
  for (Rank peer = 0; peer < members_; peer++)
    if (has_lost(peer)) held |= RankSet{1} << peer;
  const size_t first = turn_;
  for (size_t i = 0, bytes = 0; i < senders_.size() && bytes < kCopySlice; i++) {
    const size_t s = (first + i) % senders_.size();
    for (uint32_t next = 1; next <= kTransfersMax; next++) {
      Transfer* transfer = find(s, counts_[s].delivered + next);
      while (transfer != nullptr && bytes < kCopySlice) {
        const size_t size = send_block(s, *transfer, held, out);
        if (size == 0) break;
        bytes += size;
        turn_ = (s + 1) % senders_.size();
        sends++;
      }
    }
  }
  return sends;
}

void LargeMulticast::repeat(RankSet held, Outputs& out) {
  size_t bytes = 0;
  for (Rank peer = 0; peer < members_; peer++) {
    if ((held >> peer & 1) != 0) continue;
    while (has_lost(peer) && bytes < kCopySlice) bytes += repeat_block(peer, out);
  }
}

bool LargeMulticast::has_unsent() const {
  const auto is_unsent = [](const auto& slot) { return slot && !slot->machine.has_sent_all(); };
  return (!is_idle() && std::ranges::any_of(slots_, is_unsent)) || has_lost();
}

bool LargeMulticast::has_lost() const {
  return std::ranges::any_of(lost_, [](const auto& lost) { return !lost.empty(); });
}

void LargeMulticast::take_grants(Outputs& out) {
  out.grants.insert(out.grants.end(), to_grant_.begin(), to_grant_.end());
  to_grant_.clear();
}

// Takes in what the others show of this transfer.
bool LargeMulticast::look(size_t slot, Transfer& transfer, Rank& broken) {
  const size_t s = slot / kTransfersMax;
  const RowLayout& layout = table_.layout();
  for (Rank rank = 0; rank < members_; rank++) {
    if (rank == me_ || table_.is_frozen(rank)) continue;
    const uint64_t sent = table_.shown(rank, layout.steps_sent(slot));
    const uint64_t got = table_.shown(rank, layout.steps_got(slot));
    const uint64_t newest = number_in(std::max(sent, got));
    if (newest > transfer.number) {
      // It has delivered this one, so all have received it.
      if (transfer.machine.has_all()) continue;
      broken = rank;
      return false;
    }
    if (number_in(got) != transfer.number) continue;  // has no memory yet
    TransferSteps shown{0, steps_in(got)};
    // One cell may come before the other.
    if (number_in(sent) == transfer.number) shown.sent = steps_in(sent);
    if (transfer.machine.see(index_of(s, rank), shown)) continue;
    broken = rank;
    return false;
  }
  return true;
}

// Goes on with the checksum over what is here, block after block; at the sender, copies it here.
size_t LargeMulticast::check(Transfer& transfer, size_t bytes_max) {
  size_t done = 0;
  while (transfer.checked < transfer.value.size() && done < bytes_max) {
    const auto block = static_cast<uint32_t>(transfer.checked / transfer.block_size);
    const bool copies = !transfer.source.empty();
    if (!copies && !transfer.machine.has(block)) break;
    const size_t end = std::min(transfer.value.size(), (size_t{block} + 1) * transfer.block_size);
    const size_t size = std::min(end - transfer.checked, bytes_max - done);
    std::byte* at = transfer.value.data() + transfer.checked;
    if (copies) copy_metered(at, transfer.source.data() + transfer.checked, size);
    transfer.crc = crc32c(at, size, transfer.crc);
    transfer.checked += size;
    done += size;
    if (copies && transfer.checked == end) transfer.machine.fill(block + 1);
  }
  return done;
}

void LargeMulticast::revoke(size_t s, Transfer& transfer, Outputs& out) {
  for_each_rank(transfer.granted, [&](Rank rank) {
    out.revokes.push_back({config_.members[rank], region_of(s, transfer)});
  });
  transfer.revoked = transfer.granted;
  transfer.granted = 0;
}

// The next block of a transfer. Returns its bytes; 0: none can be sent.
size_t LargeMulticast::send_block(size_t s, Transfer& transfer, RankSet held, Outputs& out) {
  RankSet held_here = 0;
  for_each_rank(held, [&](Rank rank) { held_here |= RankSet{1} << index_of(s, rank); });
  const auto next = transfer.machine.next(held_here);
  if (!next) return 0;
  write_block(s, transfer, *next, true, out);
  out.blocks.push_back({config_.members[senders_[s]], static_cast<uint32_t>(transfer.number),
                        next->step, config_.members[me_], config_.members[rank_of(s, next->to)],
                        next->block});
  show(slot_of(s, transfer.number), transfer);
  return block_of(transfer, next->block).size();
}

// The next that may be lost. A copy, as it may have come, and the memory be given back before it is
// sent.
size_t LargeMulticast::repeat_block(Rank peer, Outputs& out) {
  const Lost lost = lost_[peer].front();
  lost_[peer].pop_front();
  const Transfer* transfer = find(lost.sender, lost.number);
  if (transfer == nullptr || transfer->machine.is_confirmed(lost.send)) return 0;
  write_block(lost.sender, *transfer, lost.send, false, out);
  return block_of(*transfer, lost.send.block).size();
}

void LargeMulticast::write_block(size_t s, const Transfer& transfer,
                                 const BlockTransfer::Send& send, bool stable, Outputs& out) {
  out.writes.push_back({config_.members[rank_of(s, send.to)], region_of(s, transfer),
                        uint64_t{send.block} * transfer.block_size, block_of(transfer, send.block),
                        stable});
}

void LargeMulticast::on_up(Rank peer) {
  lost_[peer].clear();
  for (size_t i = 0; i < slots_.size(); i++) {
    if (!slots_[i]) continue;
    const size_t s = i / kTransfersMax;
    for (const auto& send : slots_[i]->machine.unconfirmed(index_of(s, peer)))
      lost_[peer].push_back({s, slots_[i]->number, send});
  }
}

std::optional<LargeMulticast::Awaited> LargeMulticast::awaited() const {
  if (is_idle()) return std::nullopt;
  for (size_t s = 0; s < senders_.size(); s++) {
    for (uint32_t next = 1; next <= kTransfersMax; next++) {
      const Transfer* transfer = find(s, counts_[s].delivered + next);
      if (transfer == nullptr) continue;
      if (const auto found = transfer->machine.awaited())
        return Awaited{s, transfer->number, rank_of(s, found->member), found->steps};
    }
  }
  return std::nullopt;
}

bool LargeMulticast::lacks(Rank member) const {
  if (is_idle()) return false;
  for (size_t i = 0; i < slots_.size(); i++) {
    if (slots_[i] && slots_[i]->machine.lacks(index_of(i / kTransfersMax, member))) return true;
  }
  return false;
}

void LargeMulticast::show(size_t slot, const Transfer& transfer) {
  const RowLayout& layout = table_.layout();
  const TransferSteps steps = transfer.machine.shown();
  table_.set(layout.steps_sent(slot), cell_of(transfer.number, steps.sent));
  table_.set(layout.steps_got(slot), cell_of(transfer.number, steps.got));
}

}  // namespace freshet
