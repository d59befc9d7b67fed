// What ordering costs: three members in one process, writes as memcpy, with the store's apply, no
// network. Prints nanoseconds of CPU per ordered message and member; asserts only that all arrived.
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "test/native/support/direct_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr uint64_t kMessages = 600'000;  // of all members
constexpr size_t kMembers = 3;

double cpu_ns() { return static_cast<double>(std::clock()) * (1e9 / CLOCKS_PER_SEC); }

void measure(size_t senders, size_t value_size, size_t burst) {
  DirectGroup group({.members = kMembers, .senders = senders, .ring_size = size_t{1} << 20});
  group.quick = true;
  group.set_rules(1);  // one version a key, so that the store stays small

  const std::vector<std::byte> value(value_size, std::byte{7});
  Change change;
  change.pool = 1;
  const std::string key = "cows/0128";
  change.key = std::as_bytes(std::span(key));
  change.value = value;
  uint64_t submitted = 0;
  group.answers.reserve(kMessages + 10);
  const size_t before = group.answers.size();
  const double start = cpu_ns();
  while (group.answers.size() < before + kMessages) {
    for (size_t m = 0; m < kMembers; m++) {
      for (size_t i = 0; m < senders && i < burst && submitted < kMessages; i++) {
        if (group.replica(m).submit(change, Ack::kDelivered, submitted) != Status::kOk) break;
        submitted++;
      }
      group.step(m);
    }
  }
  std::printf("  %zu senders, %zu B, bursts of %zu: %.0f ns a message a member\n", senders,
              value_size, burst, (cpu_ns() - start) / kMessages / kMembers);
  group.settle();
  EXPECT_EQ(group.answers.size(), before + kMessages);
  EXPECT_EQ(group.store(0).digest(), group.store(2).digest());
}

TEST(three_senders_of_100_bytes) { measure(3, 100, 64); }
TEST(three_senders_of_100_bytes_small_bursts) { measure(3, 100, 4); }
TEST(one_sender_of_100_bytes) { measure(1, 100, 64); }

}  // namespace
}  // namespace freshet::test
