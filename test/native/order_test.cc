#include "native/core/order.h"

#include <vector>

#include "native/io/seeded_random.h"
#include "test/native/support/test.h"

namespace freshet {
namespace {

// What the closed formulas say, counted one by one.
uint64_t count_contiguous(const std::vector<uint64_t>& received) {
  uint64_t sequence = 0;
  while (true) {
    const size_t s = sender_of(static_cast<Sequence>(sequence), received.size());
    if (index_of(static_cast<Sequence>(sequence), received.size()) >= received[s]) return sequence;
    sequence++;
  }
}

TEST(a_sequence_names_sender_and_index) {
  for (size_t senders = 1; senders <= 16; senders++) {
    for (uint64_t index = 0; index < 50; index++) {
      for (size_t s = 0; s < senders; s++) {
        const Sequence sequence = sequence_of(index, s, senders);
        EXPECT_EQ(sender_of(sequence, senders), s);
        EXPECT_EQ(index_of(sequence, senders), index);
      }
    }
  }
}

TEST(contiguous_sequences_are_those_that_counting_finds) {
  SeededRandom random(test::seed(3));
  for (int round = 0; round < 3000; round++) {
    std::vector<uint64_t> received(1 + random.below(16));
    const uint64_t spread = 1 + random.below(6);
    for (uint64_t& count : received)
      count = random.below(spread) + static_cast<uint64_t>(round % 7);
    EXPECT_EQ(contiguous_sequences(received), count_contiguous(received));
  }
}

TEST(messages_among_counts_a_senders_share) {
  for (size_t senders = 1; senders <= 5; senders++) {
    for (size_t s = 0; s < senders; s++) {
      uint64_t expected = 0;
      for (uint64_t sequences = 0; sequences < 40; sequences++) {
        EXPECT_EQ(messages_among(sequences, s, senders), expected);
        if (sender_of(static_cast<Sequence>(sequences), senders) == s) expected++;
      }
    }
  }
}

TEST(nobody_owes_a_null_in_a_silent_group) {
  const std::vector<uint64_t> none(5, 0);
  for (size_t me = 0; me < 5; me++) EXPECT_EQ(messages_owed(none, none, me), 0u);
}

TEST(one_null_asks_only_those_before_it_for_another) {
  const std::vector<uint64_t> received = {0, 0, 1, 0};
  const std::vector<uint64_t> changes(4, 0);
  EXPECT_EQ(messages_owed(received, changes, 0), 1u);
  EXPECT_EQ(messages_owed(received, changes, 1), 1u);
  EXPECT_EQ(messages_owed(received, changes, 3), 0u);
}

TEST(one_change_asks_for_what_the_next_one_will_need) {
  const std::vector<uint64_t> received = {0, 0, 1, 0};
  EXPECT_EQ(messages_owed(received, received, 0), 2u);
  EXPECT_EQ(messages_owed(received, received, 1), 2u);
  EXPECT_EQ(messages_owed(received, received, 3), 1u);
}

// Whatever was sent: after one round of owed nulls all that anyone sent is contiguous, at most one
// turn more, and the nulls themselves oblige nobody.
TEST(nulls_close_every_gap_and_ask_for_none) {
  SeededRandom random(test::seed(4));
  for (int round = 0; round < 3000; round++) {
    std::vector<uint64_t> sent(1 + random.below(8));
    std::vector<uint64_t> changes(sent.size());
    uint64_t last = 0;
    for (size_t s = 0; s < sent.size(); s++) {
      sent[s] = random.below(9);
      changes[s] = round % 2 == 0 ? 0 : random.below(sent[s] + 1);
      if (sent[s] > 0)
        last = std::max(last, static_cast<uint64_t>(sequence_of(sent[s] - 1, s, sent.size())) + 1);
    }
    std::vector<uint64_t> after = sent;
    for (size_t s = 0; s < sent.size(); s++)
      after[s] = std::max(sent[s], messages_owed(sent, changes, s));
    const uint64_t contiguous = contiguous_sequences(after);
    EXPECT(contiguous >= last && contiguous <= last + (round % 2 == 0 ? 0 : sent.size()));
    for (size_t s = 0; s < sent.size(); s++) EXPECT(messages_owed(after, changes, s) <= after[s]);
  }
}

}  // namespace
}  // namespace freshet
