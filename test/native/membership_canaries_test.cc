// Views under faults as in membership_test, by a core in which one rule of the membership is broken
// at a time: the checkers have to notice each of them.
#include <cstdio>

#include "native/core/canary.h"
#include "test/native/support/test.h"
#include "test/native/support/view_group.h"

namespace freshet::test {
namespace {

constexpr uint64_t kCanarySeeds = 150;  // at most; each is found before

ViewResult run_breaking(CoreCanary rule, uint64_t seed) {
  broken_rule = rule;
  ViewResult result = ViewGroup({.seed = seed}).run();
  broken_rule = CoreCanary::kNone;
  return result;
}

// Is the broken rule found, in a seed that is clean without it? The rarer ones begin shortly before
// the seed that finds them.
void expect_found(CoreCanary rule, uint64_t first = 1) {
  if (kSanitized) return;
  for (uint64_t i = first; i < first + kCanarySeeds; i++) {
    const ViewResult result = run_breaking(rule, i);
    if (result.violations.empty()) continue;
    EXPECT(run_breaking(CoreCanary::kNone, i).violations.empty());
    std::printf("  seed %llu: %s\n", static_cast<unsigned long long>(i),
                result.violations.front().substr(0, 90).c_str());
    return;
  }
  fail(__FILE__, __LINE__, "no seed finds the broken rule");
}

TEST(canary_a_minority_goes_on) { expect_found(CoreCanary::kMinority, 25); }
TEST(canary_no_gate) { expect_found(CoreCanary::kNoGate, 85); }
TEST(canary_no_lease) { expect_found(CoreCanary::kNoLease); }
TEST(canary_prepared_before_epochs_end) { expect_found(CoreCanary::kPrepareEarly); }
TEST(canary_committed_without_all_survivors) { expect_found(CoreCanary::kCommitEarly); }
TEST(canary_a_new_attempt_reads_no_suspects) { expect_found(CoreCanary::kNoThaw); }
TEST(canary_writes_to_who_is_not_prepared) { expect_found(CoreCanary::kNoHold); }
TEST(canary_a_late_replica_is_not_wedged) { expect_found(CoreCanary::kLateUnwedged); }
TEST(canary_dropped_although_committed) { expect_found(CoreCanary::kDropAlive, 19380); }

}  // namespace
}  // namespace freshet::test
