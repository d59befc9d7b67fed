// Real members whose rings are the smallest that there are: values that are copied when they are
// submitted, and yet are too long to go into a ring as one record.
#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr size_t kPuts = 600;

std::string key_of(size_t number) { return "/k/" + std::to_string(number); }

// No two alike, anywhere in them.
std::string value_of(size_t number) {
  const size_t size = kRingSizeMin / kRingInlineDivisor + number % 100 * 400;
  std::string value;
  while (value.size() < size) value += key_of(number) + "@" + std::to_string(value.size());
  value.resize(size);
  return value;
}

}  // namespace

TEST(values_that_are_longer_than_a_record_of_the_ring_arrive_whole) {
  for (size_t number = 0; number < 100; number++)
    EXPECT(value_of(number).size() <= kBorrowThreshold);
  MemberGroup group(false);
  group.open();
  group.start(1, kRingSizeMin);
  group.make_pool();
  // Faster than the ring takes them: what waits for room is more than the queue to the agent holds.
  std::vector<Token> tokens;
  for (size_t number = 0; number < kPuts; number++)
    tokens.push_back(group[0].put(key_of(number), value_of(number), Ack::kDelivered));
  EXPECT(group.until([&] { return group[0].member().outstanding() == 0; }));
  size_t right = 0;
  size_t wrong = 0;
  for (size_t number = 0; number < kPuts; number++) {
    // It may have been refused, as too much waited.
    if (!is_ok(group[0].answers.at(tokens[number]).status)) continue;
    (group[1].newest(key_of(number)) == value_of(number) ? right : wrong)++;
  }
  EXPECT_EQ(wrong, size_t{0});
  EXPECT(right > kPuts / 4);
  EXPECT_EQ(group[0].released, size_t{0});  // the caller's memory was never held
  group.expect_alike();
}
