#include "native/core/block_transfer.h"

#include <algorithm>

#include "native/core/check.h"

namespace freshet {

static_assert(kStepsAhead > 0 && kStepsAhead <= 32, "a bit each");

BlockTransfer::BlockTransfer(const MulticastSchedule& schedule, uint32_t me)
    : schedule_(schedule), me_(me), here_((schedule.blocks() + 63) / 64) {
  FRESHET_CHECK_VALUES(schedule.members() <= kMembersMax && me < schedule.members(), me,
                       schedule.members());
  pass_empty_steps();
}

void BlockTransfer::mark(uint32_t block) {
  if (has(block)) return;
  here_[block / 64] |= uint64_t{1} << block % 64;
  count_++;
}

void BlockTransfer::fill(uint32_t blocks) {
  FRESHET_CHECK_VALUES(me_ == 0 && blocks <= schedule_.blocks(), me_, blocks);
  while (count_ < blocks) mark(count_);
}

bool BlockTransfer::see(uint32_t member, const TransferSteps& shown) {
  TransferSteps& before = seen_[member];
  if (shown.sent < before.sent || shown.got < before.got) return false;
  if (shown.sent > schedule_.steps() || shown.got > schedule_.steps()) return false;
  before = shown;
  ready_ |= RankSet{1} << member;
  return true;
}

bool BlockTransfer::has_come(uint32_t step) const {
  const auto received = schedule_.receive(me_, step);
  return !received || seen_[received->peer].sent > step;
}

uint32_t BlockTransfer::take() {
  const uint32_t before = count_;
  for (uint32_t i = 0; i < kStepsAhead && got_ + i < schedule_.steps(); i++) {
    if ((ahead_ >> i & 1) != 0 || !has_come(got_ + i)) continue;
    ahead_ |= uint32_t{1} << i;
    if (const auto received = schedule_.receive(me_, got_ + i)) mark(received->block);
  }
  for (; (ahead_ & 1) != 0; ahead_ >>= 1) got_++;
  pass_empty_steps();
  return count_ - before;
}

// Credit counts blocks, not steps: what brings nothing is passed at once.
void BlockTransfer::pass_empty_steps() {
  while (got_ < schedule_.steps() && !schedule_.receive(me_, got_)) {
    got_++;
    ahead_ >>= 1;
  }
  while (sent_ < schedule_.steps() && !schedule_.send(me_, sent_)) sent_++;
}

std::optional<BlockTransfer::Send> BlockTransfer::next(RankSet held) {
  if (has_sent_all()) return std::nullopt;
  const auto move = schedule_.send(me_, sent_);
  if (!move || !has(move->block) || (held >> move->peer & 1) != 0) return std::nullopt;
  if ((ready_ >> move->peer & 1) == 0) return std::nullopt;
  if (sent_ >= seen_[move->peer].got + kStepsAhead) return std::nullopt;
  const Send send{sent_, move->peer, move->block};
  sent_++;
  pass_empty_steps();
  return send;
}

bool BlockTransfer::all_have() const {
  for (uint32_t member = 0; member < schedule_.members(); member++)
    if (member != me_ && seen_[member].got < schedule_.steps()) return false;
  return true;
}

// Of all receives that are missing, that of the lowest step has a source that has the block, and
// may send it: its receiver is waited for if it was sent, else its source.
std::optional<BlockTransfer::Awaited> BlockTransfer::awaited() const {
  std::optional<Awaited> result;
  uint32_t lowest = schedule_.steps();
  for (uint32_t member = 1; member < schedule_.members(); member++) {
    uint32_t step = (member == me_ ? shown() : seen_[member]).got;
    while (step < lowest && !schedule_.receive(member, step)) step++;
    if (step >= lowest) continue;
    lowest = step;
    const uint32_t source = schedule_.receive(member, step)->peer;
    const TransferSteps there = source == me_ ? shown() : seen_[source];
    const bool is_ready = member == me_ || (ready_ >> member & 1) != 0;
    const bool waits_for_source = is_ready && there.sent <= step;
    result = waits_for_source ? Awaited{source, there.sent}
                              : Awaited{member, (member == me_ ? shown() : seen_[member]).got};
  }
  return result;
}

bool BlockTransfer::is_confirmed() const {
  for (uint32_t member = 0; member < schedule_.members(); member++)
    if (!unconfirmed(member).empty()) return false;
  return true;
}

std::vector<BlockTransfer::Send> BlockTransfer::unconfirmed(uint32_t member) const {
  std::vector<Send> result;
  for (uint32_t step = seen_[member].got; step < sent_; step++) {
    const auto move = schedule_.send(me_, step);
    if (move && move->peer == member) result.push_back({step, member, move->block});
  }
  return result;
}

}  // namespace freshet
