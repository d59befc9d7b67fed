// One large message at one member: which of its blocks are here, and which send comes next.
//
// Members do not keep step with each other. Each makes its own sends in the order of their steps
// and shows two counts of steps: `sent`, those whose sends are written (or that have none), and
// `got`, those whose receives have come (or that have none). Who receives looks at `sent` of the
// source; who sends looks at `got` of the receiver, which is its credit.
//
// Thread: the agent's.
// Invariants
//  1. A block is sent only when it is here, and is taken as here only once its source shows it.
//  2. To no member are more than kStepsAhead blocks under way, but for those that are written again
//     over a new connection.
//  3. While all members go on and their rows arrive, some send can be made until all have all: that
//     of the lowest step that is not made.
#ifndef FRESHET_CORE_BLOCK_TRANSFER_H_
#define FRESHET_CORE_BLOCK_TRANSFER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "native/core/limits.h"
#include "native/core/multicast_schedule.h"
#include "native/core/types.h"

namespace freshet {

inline constexpr uint32_t kStepsAhead = 4;  // of what a member has received; at most 32

// What a member shows of a transfer that it has memory for.
struct TransferSteps {
  uint32_t sent = 0;
  uint32_t got = 0;
};

class BlockTransfer {
 public:
  struct Send {
    uint32_t step;
    uint32_t to;
    uint32_t block;
  };

  // Members are named by their index in the schedule; `me` 0 is the message's sender.
  BlockTransfer(const MulticastSchedule& schedule, uint32_t me);

  const MulticastSchedule& schedule() const { return schedule_; }

  // At the sender: its first `blocks` blocks can be sent.
  void fill(uint32_t blocks);
  // What a member shows now. False: that cannot be.
  bool see(uint32_t member, const TransferSteps& shown);
  // Takes in what the others were seen to have sent; returns how many blocks have come.
  uint32_t take();
  // The next send, if it can be made now; then it counts as made. `held`: members, by index, to
  // whom nothing may be written.
  std::optional<Send> next(RankSet held);
  // Sends to this member that it was not seen to have received: what a lost connection may have
  // lost. At most kStepsAhead.
  std::vector<Send> unconfirmed(uint32_t member) const;
  // This one was.
  bool is_confirmed(const Send& send) const { return seen_[send.to].got > send.step; }

  // Whom all wait for, as far as is seen, and how far that one is.
  struct Awaited {
    uint32_t member;
    uint32_t steps;
  };
  std::optional<Awaited> awaited() const;

  TransferSteps shown() const { return {sent_, got_}; }
  bool has(uint32_t block) const { return (here_[block / 64] >> block % 64 & 1) != 0; }
  bool has_all() const { return count_ == schedule_.blocks(); }
  bool has_sent_all() const { return sent_ == schedule_.steps(); }
  // All others were seen to have all.
  bool all_have() const;
  // This one was not.
  bool lacks(uint32_t member) const { return seen_[member].got < schedule_.steps(); }
  // What I have sent was seen to have come, all of it.
  bool is_confirmed() const;

 private:
  void mark(uint32_t block);
  bool has_come(uint32_t step) const;
  void pass_empty_steps();

  const MulticastSchedule schedule_;
  const uint32_t me_;
  std::vector<uint64_t> here_;  // a bit a block
  uint32_t count_ = 0;          // of them set
  uint32_t sent_ = 0;
  uint32_t got_ = 0;
  uint32_t ahead_ = 0;  // steps from got_ on whose receives have come, a bit each
  RankSet ready_ = 0;   // members that were seen at all
  std::array<TransferSteps, kMembersMax> seen_{};
};

}  // namespace freshet

#endif  // FRESHET_CORE_BLOCK_TRANSFER_H_
