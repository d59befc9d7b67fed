// Views, epochs and histories under faults, from one seed each. FRESHET_SEED=n starts at seed n,
// FRESHET_SEEDS=n runs so many.
#include <cstdio>
#include <cstdlib>

#include "test/native/support/test.h"
#include "test/native/support/view_group.h"

namespace freshet::test {
namespace {

constexpr uint64_t kViewSeeds = 150;
constexpr uint64_t kSeedsByDefault = kSanitized ? 60 : kViewSeeds;
constexpr uint64_t kSlowSeeds = kSanitized ? 10 : 40;

constexpr const char* kFaultNames[kTabledFaults] = {"crash", "pause", "cut"};
constexpr const char* kStepNames[kViewSteps] = {"idle",    "suspecting", "acked",    "wedged",
                                                "trimmed", "delivering", "prepared", "committed"};

uint64_t seeds() {
  const char* given = std::getenv("FRESHET_SEEDS");
  return given == nullptr ? kSeedsByDefault : std::strtoull(given, nullptr, 10);
}

void add(ViewResult& total, const ViewResult& result) {
  total.views += result.views;
  total.reads += result.reads;
  total.acknowledgements += result.acknowledgements;
  total.outdated += result.outdated;
  total.behind += result.behind;
  total.stands_still += result.stands_still;
  total.settled_after = std::max(total.settled_after, result.settled_after);
  for (size_t fault = 0; fault < kTabledFaults; fault++) {
    for (size_t step = 0; step < kViewSteps; step++)
      total.faults[fault][step] += result.faults[fault][step];
  }
}

TEST(every_seed_is_clean) {
  const uint64_t first = seed(1);
  const uint64_t count = seeds();
  ViewResult total;
  for (uint64_t i = first; i < first + count; i++) {
    const ViewResult result = ViewGroup({.seed = i}).run();
    for (const std::string& text : result.violations)
      fail(__FILE__, __LINE__, std::string("seed ") + std::to_string(i) + ": " + text);
    add(total, result);
  }
  std::printf(
      "  %llu seeds: %llu views, %llu reads, %llu acknowledgements, %llu ends fetched, "
      "%llu gave up, %llu stand still, at rest after %.1f s\n",
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(total.views),
      static_cast<unsigned long long>(total.reads),
      static_cast<unsigned long long>(total.acknowledgements),
      static_cast<unsigned long long>(total.behind),
      static_cast<unsigned long long>(total.outdated),
      static_cast<unsigned long long>(total.stands_still),
      static_cast<double>(total.settled_after) / 1e9);
  EXPECT(total.stands_still <= count / 100 + 1);
  // Every fault meets every step of a change of view.
  for (size_t fault = 0; fault < kTabledFaults; fault++) {
    for (size_t step = 0; step < kViewSteps; step++) {
      const auto met = static_cast<unsigned long long>(total.faults[fault][step]);
      std::printf("  %s while %s: %llu\n", kFaultNames[fault], kStepNames[step], met);
      if (count >= kViewSeeds && met == 0)
        fail(__FILE__, __LINE__,
             std::string("no ") + kFaultNames[fault] + " while " + kStepNames[step]);
    }
  }
}

// Members that are well are suspected at any step of a change, on a word from outside.
TEST(members_suspected_as_slow_come_back) {
  uint64_t accused = 0;
  for (uint64_t i = seed(1); i < seed(1) + kSlowSeeds; i++) {
    const ViewResult result = ViewGroup({.seed = i, .accuse_percent = 60}).run();
    for (const std::string& text : result.violations)
      fail(__FILE__, __LINE__, std::string("seed ") + std::to_string(i) + ": " + text);
    accused += result.accused;
  }
  EXPECT(accused >= kSlowSeeds);
}

// Also when whoever adds them is lost, or the view that does.
TEST(shards_are_added_to_views_under_faults) {
  uint64_t added = 0;
  for (uint64_t i = seed(1); i < seed(1) + kSlowSeeds; i++) {
    const ViewResult result = ViewGroup({.seed = i, .additions = 4}).run();
    for (const std::string& text : result.violations)
      fail(__FILE__, __LINE__, std::string("seed ") + std::to_string(i) + ": " + text);
    added += result.added;
  }
  EXPECT(added >= kSlowSeeds);
}

// Their last epochs end alike at all who were in them, beside shards that come.
TEST(shards_are_taken_away_from_views_under_faults) {
  uint64_t removed = 0;
  for (uint64_t i = seed(1); i < seed(1) + kSlowSeeds; i++) {
    const ViewResult result = ViewGroup({.seed = i, .additions = 2, .removals = 2}).run();
    for (const std::string& text : result.violations)
      fail(__FILE__, __LINE__, std::string("seed ") + std::to_string(i) + ": " + text);
    removed += result.removed;
  }
  EXPECT(removed >= kSlowSeeds);
}

TEST(the_same_seed_gives_the_same_trace) {
  for (const uint64_t i : {3u, 4u, 5u}) {
    const ViewResult one = ViewGroup({.seed = i}).run();
    const ViewResult other = ViewGroup({.seed = i}).run();
    EXPECT_EQ(one.trace, other.trace);
    EXPECT_EQ(one.reads, other.reads);
    EXPECT(ViewGroup({.seed = i + 100}).run().trace != one.trace);
  }
}

}  // namespace
}  // namespace freshet::test
