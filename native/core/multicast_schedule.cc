#include "native/core/multicast_schedule.h"

#include <algorithm>
#include <bit>

#include "native/core/check.h"

namespace freshet {
namespace {

uint32_t floor_log2(uint32_t value) { return static_cast<uint32_t>(std::bit_width(value)) - 1; }

uint32_t steps_of(MulticastAlgorithm algorithm, uint32_t members, uint32_t blocks) {
  if (members == 1) return 0;
  const uint32_t below = floor_log2(members);
  const bool even = std::has_single_bit(members);
  switch (algorithm) {
    case MulticastAlgorithm::kChain:
      return members + blocks - 2;
    case MulticastAlgorithm::kSequential:
      return blocks * (members - 1);
    case MulticastAlgorithm::kTree:
      return blocks * (even ? below : below + 1);
    case MulticastAlgorithm::kBinomial:
      return blocks + (even ? below - 1 : below);
  }
  return 0;
}

}  // namespace

MulticastSchedule::MulticastSchedule(MulticastAlgorithm algorithm, uint32_t members,
                                     uint32_t blocks)
    : algorithm_(algorithm),
      members_(members),
      blocks_(blocks),
      dimensions_(floor_log2(members)),
      corners_(uint32_t{1} << dimensions_),
      steps_(steps_of(algorithm, members, blocks)) {
  FRESHET_CHECK_VALUES(members > 0 && blocks > 0, members, blocks);
}

std::optional<MulticastSchedule::Move> MulticastSchedule::send(uint32_t member,
                                                               uint32_t step) const {
  if (step >= steps_) return std::nullopt;
  switch (algorithm_) {
    case MulticastAlgorithm::kChain:
      if (member + 1 == members_ || step < member || step - member >= blocks_) return std::nullopt;
      return Move{member + 1, step - member};
    case MulticastAlgorithm::kSequential:
      if (member != 0) return std::nullopt;
      return Move{1 + step / blocks_, step % blocks_};
    case MulticastAlgorithm::kTree:
      return tree_send(member, step);
    case MulticastAlgorithm::kBinomial:
      return binomial_send(member, step);
  }
  return std::nullopt;
}

// Who may send to this member in this step is one of few; whoever does says so.
std::optional<MulticastSchedule::Move> MulticastSchedule::receive(uint32_t member,
                                                                  uint32_t step) const {
  if (step >= steps_ || member == 0) return std::nullopt;
  const auto from = [&](uint32_t peer) -> std::optional<Move> {
    const std::optional<Move> sent = send(peer, step);
    if (!sent || sent->peer != member) return std::nullopt;
    return Move{peer, sent->block};
  };
  switch (algorithm_) {
    case MulticastAlgorithm::kChain:
      return from(member - 1);
    case MulticastAlgorithm::kSequential:
      return from(0);
    case MulticastAlgorithm::kTree:
      return from(member - std::bit_floor(member));
    case MulticastAlgorithm::kBinomial:
      break;
  }
  const uint32_t vertex = vertex_of(member);
  const uint32_t across = vertex ^ (uint32_t{1} << step % dimensions_);
  if (const auto found = from(across)) return found;
  if (is_pair(across)) {
    if (const auto found = from(sibling_of(across))) return found;
  }
  return is_pair(vertex) ? from(sibling_of(member)) : std::nullopt;
}

// In the binomial pipeline blocks come all ways after one round of all dimensions, and members of
// pairs are where they were after two more: what comes then has come that way before.
uint32_t MulticastSchedule::sources(uint32_t member) const {
  if (member == 0) return 0;
  switch (algorithm_) {
    case MulticastAlgorithm::kChain:
      return uint32_t{1} << (member - 1);
    case MulticastAlgorithm::kSequential:
      return 1;
    case MulticastAlgorithm::kTree:
      return uint32_t{1} << (member - std::bit_floor(member));
    case MulticastAlgorithm::kBinomial:
      break;
  }
  uint32_t result = 0;
  for (uint32_t step = 0; step < std::min(4 * dimensions_, steps_); step++) {
    if (const auto received = receive(member, step)) result |= uint32_t{1} << received->peer;
  }
  return result;
}

std::optional<MulticastSchedule::Move> MulticastSchedule::tree_send(uint32_t member,
                                                                    uint32_t step) const {
  const uint32_t reach = uint32_t{1} << step / blocks_;
  if (member >= reach || member + reach >= members_) return std::nullopt;
  return Move{member + reach, step % blocks_};
}

// Vertex v has member v; the first vertices behind the sender's have a second one.
uint32_t MulticastSchedule::vertex_of(uint32_t member) const {
  return member < corners_ ? member : member + 1 - corners_;
}

uint32_t MulticastSchedule::sibling_of(uint32_t member) const {
  return member < corners_ ? member + corners_ - 1 : member + 1 - corners_;
}

// How often the two members of a vertex have changed places before this step: whenever one has
// taken a block through a dimension in which the vertex is not the sender's side.
uint32_t MulticastSchedule::flips(uint32_t vertex, uint32_t step) const {
  const uint32_t begun = (uint32_t{1} << step % dimensions_) - 1;
  return step / dimensions_ * static_cast<uint32_t>(std::popcount(vertex)) +
         static_cast<uint32_t>(std::popcount(vertex & begun));
}

// The member of a vertex that takes from outside.
uint32_t MulticastSchedule::front(uint32_t vertex, uint32_t step) const {
  return is_pair(vertex) && flips(vertex, step) % 2 == 1 ? sibling_of(vertex) : vertex;
}

// The block that comes into a vertex. Turned so that this step's dimension is bit 0: whom the
// sender reaches gets a new block in each step; who has more bits set gets one that left the sender
// in the step of the lowest of them, the dimension that comes up next, a round ago; who has bit 0
// clear gets back, from the other side of the dimension, what left it longest ago.
MulticastSchedule::Block MulticastSchedule::block_into(uint32_t vertex, uint32_t step) const {
  if (vertex == 0 || step >= steps_ || is_last(step)) return std::nullopt;
  const uint32_t dimension = step % dimensions_;
  const uint32_t turned =
      ((vertex | vertex << dimensions_) >> dimension) & ((uint32_t{1} << dimensions_) - 1);
  if (turned == 1) return std::min(step, blocks_ - 1);
  const uint32_t ahead =
      (turned & 1) == 0 ? 0 : static_cast<uint32_t>(std::countr_zero(turned & ~uint32_t{1}));
  if (step + ahead < dimensions_) return std::nullopt;
  return std::min(step + ahead - dimensions_, blocks_ - 1);
}

// The block that the front of a pair hands on to its sibling: what the vertex received in the step
// before; if the sibling took that one itself, the last that this one took.
MulticastSchedule::Block MulticastSchedule::block_between(uint32_t vertex, uint32_t step) const {
  const uint32_t now = flips(vertex, step);
  if (now == 0) return std::nullopt;
  uint32_t taken = step - 1;
  if (flips(vertex, taken) != now) {
    if (now < 2) return std::nullopt;
    while (flips(vertex, taken) + 2 != now) taken--;
  }
  return block_into(vertex, taken);
}

std::optional<MulticastSchedule::Move> MulticastSchedule::binomial_send(uint32_t member,
                                                                        uint32_t step) const {
  if (is_last(step)) return last_send(member, step);
  const uint32_t vertex = vertex_of(member);
  if (is_pair(vertex) && member == front(vertex, step)) {
    const Block block = block_between(vertex, step);
    if (!block) return std::nullopt;
    return Move{sibling_of(member), *block};
  }
  const uint32_t across = vertex ^ (uint32_t{1} << step % dimensions_);
  const Block block = block_into(across, step);
  if (!block) return std::nullopt;
  return Move{front(across, step), *block};
}

// The members of a pair give each other the block that is still missing.
std::optional<MulticastSchedule::Move> MulticastSchedule::last_send(uint32_t member,
                                                                    uint32_t step) const {
  const uint32_t vertex = vertex_of(member);
  if (!is_pair(vertex)) return std::nullopt;
  Block block;
  if (member == front(vertex, step)) {
    block = block_between(vertex, step);
  } else {
    uint32_t taken = step;
    while (taken > 0 && front(vertex, taken) != member) taken--;
    block = block_into(vertex, taken);
  }
  if (!block) return std::nullopt;
  return Move{sibling_of(member), *block};
}

}  // namespace freshet
