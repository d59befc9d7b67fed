#include "native/core/work_meter.h"

#include <string>
#include <vector>

#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

// A clock that goes on when it is told to.
struct Metered {
  Nanos now = 100;
  WorkMeter meter{[this] { return now; }};

  Metered() { work_meter = &meter; }
  ~Metered() { work_meter = nullptr; }
};

TEST(each_moment_belongs_to_the_innermost_work) {
  Metered at;
  at.now += 5;
  {
    const WorkScope system(Work::kSystem);
    at.now += 20;
    {
      const WorkScope copy(Work::kCopy);
      at.now += 300;
    }
    at.now += 4'000;
  }
  at.now += 50'000;
  at.meter.enter(Work::kIdle);
  at.now += 600'000;
  at.meter.enter(Work::kProtocol);
  EXPECT_EQ(at.meter.spent(Work::kProtocol), 50'005u);
  EXPECT_EQ(at.meter.spent(Work::kSystem), 4'020u);
  EXPECT_EQ(at.meter.spent(Work::kCopy), 300u);
  EXPECT_EQ(at.meter.spent(Work::kIdle), 600'000u);
}

TEST(all_copies_are_counted_and_only_large_ones_are_timed) {
  int looks = 0;
  WorkMeter counting([&] { return ++looks; });
  work_meter = &counting;
  const std::vector<std::byte> from(kTimedCopyMin, std::byte{7});
  std::vector<std::byte> to(kTimedCopyMin);
  looks = 0;
  copy_metered(to.data(), from.data(), 100);
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(counting.copied_bytes(), 100u);
  copy_metered(to.data(), from.data(), from.size());
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(counting.copied_bytes(), 100u + kTimedCopyMin);
  EXPECT(to == from);
  work_meter = nullptr;
}

TEST(a_thread_without_a_meter_measures_nothing) {
  const std::vector<std::byte> from(2 * kTimedCopyMin, std::byte{7});
  std::vector<std::byte> to(from.size());
  const WorkScope scope(Work::kCopy);
  copy_metered(to.data(), from.data(), from.size());
  EXPECT(to == from);
}

// Each value is copied into the sender's ring and from there into a store at all.
TEST(agents_tell_where_their_time_goes_and_what_they_copied) {
  MemberGroup group(false);
  group.open();
  group.start(1);
  group.make_pool();
  constexpr size_t kPuts = 50;
  constexpr size_t kSize = 2 * kTimedCopyMin;
  for (size_t number = 0; number < kPuts; number++) {
    const Token token =
        group[0].put("/k/" + std::to_string(number), std::string(kSize, 'v'), Ack::kDelivered);
    EXPECT(group.until([&] { return group[0].is_answered(token); }));
  }
  EXPECT(group.reaches(kPuts));
  for (const size_t i : {0u, 1u, 2u}) {
    const AgentCounters& counters = group[i].member().counters();
    const size_t copies = i == 0 ? 2 : 1;
    EXPECT(group.until([&] { return counters.copiedBytes.load() >= copies * kPuts * kSize; }));
    EXPECT(counters.copyNanos.load() > 0);
    EXPECT(counters.protocolNanos.load() > 0);
    EXPECT(counters.systemNanos.load() > 0);
    EXPECT(counters.idleNanos.load() > 0);
  }
}

}  // namespace
