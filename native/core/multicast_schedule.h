// Who sends which block of a large message to whom, step by step (RDMC: Behrens et al., DSN 2018).
//
// Members have indexes, the message's sender 0. In a step a member sends at most one block and
// receives at most one; it never sends one that it did not receive in a step before.
//
//   chain       member x sends block step - x to x + 1
//   sequential  the sender sends all blocks to 1, then all to 2 ...
//   tree        in stage t, one step a block, member x < 2^t sends all to x + 2^t
//   binomial    the binomial pipeline: members at the vertices of a hypercube exchange blocks, in
//               one dimension a step; every one has all of them after about blocks +
//               log2(members) steps. Where the members are no power of two, some vertices have two
//               of them: one takes from outside while the other gives to outside, and hands on
//               what came before.
//
// Thread: none; pure functions.
#ifndef FRESHET_CORE_MULTICAST_SCHEDULE_H_
#define FRESHET_CORE_MULTICAST_SCHEDULE_H_

#include <cstdint>
#include <optional>

namespace freshet {

enum class MulticastAlgorithm : uint8_t { kBinomial = 0, kChain = 1, kTree = 2, kSequential = 3 };
inline constexpr uint8_t kMulticastAlgorithms = 4;

class MulticastSchedule {
 public:
  struct Move {
    uint32_t peer;
    uint32_t block;
  };

  MulticastSchedule(MulticastAlgorithm algorithm, uint32_t members, uint32_t blocks);

  uint32_t members() const { return members_; }
  uint32_t blocks() const { return blocks_; }
  uint32_t steps() const { return steps_; }

  // What `member` sends in `step`, and to whom.
  std::optional<Move> send(uint32_t member, uint32_t step) const;
  // What it receives, and from whom.
  std::optional<Move> receive(uint32_t member, uint32_t step) const;
  // All from whom it receives, a bit each, of at most 32 members. Costs little, however many steps.
  uint32_t sources(uint32_t member) const;

 private:
  using Block = std::optional<uint32_t>;

  std::optional<Move> tree_send(uint32_t member, uint32_t step) const;
  std::optional<Move> binomial_send(uint32_t member, uint32_t step) const;
  std::optional<Move> last_send(uint32_t member, uint32_t step) const;

  uint32_t vertex_of(uint32_t member) const;
  bool is_pair(uint32_t vertex) const { return vertex > 0 && vertex <= members_ - corners_; }
  uint32_t sibling_of(uint32_t member) const;
  uint32_t flips(uint32_t vertex, uint32_t step) const;
  uint32_t front(uint32_t vertex, uint32_t step) const;
  bool is_last(uint32_t step) const { return members_ > corners_ && step + 1 == steps_; }
  Block block_into(uint32_t vertex, uint32_t step) const;
  Block block_between(uint32_t vertex, uint32_t step) const;

  MulticastAlgorithm algorithm_;
  uint32_t members_;
  uint32_t blocks_;
  uint32_t dimensions_;  // of the hypercube
  uint32_t corners_;     // its vertices
  uint32_t steps_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_MULTICAST_SCHEDULE_H_
