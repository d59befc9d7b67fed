// The schedules of large messages, played through for every number of members.
#include "native/core/multicast_schedule.h"

#include <bit>
#include <string>
#include <vector>

#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr uint32_t kMost = 39;
constexpr uint32_t kBlocks[] = {1, 2, 3, 5, 8, 17};
constexpr MulticastAlgorithm kAll[] = {MulticastAlgorithm::kBinomial, MulticastAlgorithm::kChain,
                                       MulticastAlgorithm::kTree, MulticastAlgorithm::kSequential};

void complain(const MulticastSchedule& schedule, uint32_t step, const std::string& text) {
  fail(__FILE__, __LINE__,
       std::to_string(schedule.members()) + " members, " + std::to_string(schedule.blocks()) +
           " blocks, step " + std::to_string(step) + ": " + text);
}

// Plays the schedule; returns how many sends there were.
size_t play(const MulticastSchedule& schedule) {
  const uint32_t members = schedule.members();
  std::vector<std::vector<bool>> has(members, std::vector<bool>(schedule.blocks(), false));
  has[0].assign(schedule.blocks(), true);
  size_t sends = 0;
  for (uint32_t step = 0; step < schedule.steps(); step++) {
    auto after = has;
    std::vector<int> incoming(members, 0);
    for (uint32_t member = 0; member < members; member++) {
      const auto sent = schedule.send(member, step);
      const auto received = schedule.receive(member, step);
      if (received) {
        const auto there = schedule.send(received->peer, step);
        if (!there || there->peer != member || there->block != received->block)
          complain(schedule, step, "a receive that nobody sends");
      }
      if (!sent) continue;
      sends++;
      if (sent->peer >= members || sent->peer == member || sent->block >= schedule.blocks()) {
        complain(schedule, step, "no such member or block");
        continue;
      }
      const auto there = schedule.receive(sent->peer, step);
      if (!there || there->peer != member || there->block != sent->block)
        complain(schedule, step, "a send that nobody receives");
      if (!has[member][sent->block]) complain(schedule, step, "sends a block that it lacks");
      if (++incoming[sent->peer] > 1) complain(schedule, step, "two blocks at once");
      after[sent->peer][sent->block] = true;
    }
    has = after;
  }
  for (uint32_t member = 0; member < members; member++) {
    for (const bool here : has[member])
      if (!here) complain(schedule, schedule.steps(), "ends without a block");
    if (schedule.send(member, schedule.steps()) || schedule.receive(member, schedule.steps()))
      complain(schedule, schedule.steps(), "goes on behind the end");
  }
  return sends;
}

TEST(every_member_ends_with_every_block_and_sends_none_that_it_lacks) {
  for (const MulticastAlgorithm algorithm : kAll)
    for (uint32_t members = 1; members <= kMost; members++)
      for (const uint32_t blocks : kBlocks) {
        const MulticastSchedule schedule(algorithm, members, blocks);
        EXPECT(play(schedule) >= size_t{members - 1} * blocks);
      }
}

TEST(schedules_take_the_steps_that_they_are_known_for) {
  for (uint32_t members = 2; members <= kMost; members++)
    for (const uint32_t blocks : kBlocks) {
      const auto steps = [&](MulticastAlgorithm algorithm) {
        return MulticastSchedule(algorithm, members, blocks).steps();
      };
      const uint32_t floor = static_cast<uint32_t>(std::bit_width(members)) - 1;
      const uint32_t ceiling = static_cast<uint32_t>(std::bit_width(members - 1));
      EXPECT_EQ(steps(MulticastAlgorithm::kChain), members + blocks - 2);
      EXPECT_EQ(steps(MulticastAlgorithm::kSequential), blocks * (members - 1));
      EXPECT_EQ(steps(MulticastAlgorithm::kTree), blocks * ceiling);
      EXPECT_EQ(steps(MulticastAlgorithm::kBinomial),
                std::has_single_bit(members) ? blocks + floor - 1 : blocks + floor);
    }
}

TEST(nobody_receives_a_block_twice) {
  for (const MulticastAlgorithm algorithm : kAll)
    for (uint32_t members = 2; members <= kMost; members++)
      for (const uint32_t blocks : kBlocks) {
        const MulticastSchedule schedule(algorithm, members, blocks);
        for (uint32_t member = 1; member < members; member++) {
          std::vector<int> times(blocks, 0);
          for (uint32_t step = 0; step < schedule.steps(); step++)
            if (const auto received = schedule.receive(member, step)) times[received->block]++;
          for (uint32_t block = 0; block < blocks; block++) EXPECT_EQ(times[block], 1);
        }
      }
}

std::string line(const MulticastSchedule& schedule, uint32_t step) {
  std::string text;
  for (uint32_t member = 0; member < schedule.members(); member++)
    if (const auto sent = schedule.send(member, step))
      text += std::to_string(member) + ">" + std::to_string(sent->peer) + ":" +
              std::to_string(sent->block) + " ";
  return text;
}

TEST(the_binomial_pipeline_begins_as_a_binomial_tree) {
  const MulticastSchedule schedule(MulticastAlgorithm::kBinomial, 8, 3);
  EXPECT_EQ(line(schedule, 0), "0>1:0 ");
  EXPECT_EQ(line(schedule, 1), "0>2:1 1>3:0 ");
  EXPECT_EQ(line(schedule, 2), "0>4:2 1>5:0 2>6:1 3>7:0 ");
}

TEST(two_members_of_a_vertex_take_turns) {
  const MulticastSchedule schedule(MulticastAlgorithm::kBinomial, 3, 2);
  EXPECT_EQ(line(schedule, 0), "0>1:0 ");
  EXPECT_EQ(line(schedule, 1), "0>2:1 ");
  EXPECT_EQ(line(schedule, 2), "1>2:0 2>1:1 ");
}

TEST(sources_are_those_from_whom_something_comes) {
  for (const MulticastAlgorithm algorithm : kAll) {
    for (uint32_t members = 1; members <= 32; members++) {
      for (uint32_t blocks = 1; blocks <= 70; blocks++) {
        const MulticastSchedule schedule(algorithm, members, blocks);
        for (uint32_t member = 0; member < members; member++) {
          uint32_t seen = 0;
          for (uint32_t step = 0; step < schedule.steps(); step++)
            if (const auto received = schedule.receive(member, step))
              seen |= uint32_t{1} << received->peer;
          if (schedule.sources(member) != seen) complain(schedule, 0, "other sources");
        }
      }
    }
  }
}

}  // namespace
}  // namespace freshet::test
