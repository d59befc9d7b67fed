// core/README.md as a model: clean with all rules on, and with any one off a violation is found.
// The minute-long form is `npm run sim -- --model --seconds 60`.
#include <cstdio>

#include "test/native/model/checker.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

using namespace freshet::model;

constexpr uint64_t kCleanWalks = kSanitized ? 300 : 3000;
constexpr uint64_t kSearches = kSanitized ? 2 : 20;
// More than ten times what the slowest canary needs.
constexpr uint64_t kCanaryWalks = 30'000;

void expect_clean(const std::optional<Finding>& finding) {
  if (finding) fail(__FILE__, __LINE__, report(*finding, std::nullopt));
}

// The canary: with the rule off the model goes wrong, soon and in its own scenario.
bool is_missed(Rule rule) {
  Tally tally;
  const std::optional<Finding> finding =
      walk_seeds(RuleSet::all().without(rule), scenario_for(rule), 1, kCanaryWalks,
                 is_for_progress(rule), tally);
  if (!finding) return true;
  std::printf("  %-40s seed %llu, %zu steps: %s\n", std::string(name_of(rule)).c_str(),
              static_cast<unsigned long long>(finding->seed), finding->outcome.trace.size(),
              finding->outcome.violation.c_str());
  return false;
}

TEST(walks_with_all_rules_are_clean) {
  Tally tally;
  expect_clean(walk_seeds(RuleSet::all(), "all", seed(1), kCleanWalks, true, tally));
  // The walks get as far as there is something to break.
  EXPECT(tally.views > kCleanWalks / 2 && tally.restarts > 0 && tally.settled > kCleanWalks / 2);
}

TEST(every_rule_has_a_canary_that_is_caught) {
  if (kSanitized) return;
  for (size_t i = 0; i < kRules; i++) {
    const Rule rule = static_cast<Rule>(i);
    if (is_missed(rule))
      fail(__FILE__, __LINE__, "nothing goes wrong without " + std::string(name_of(rule)));
  }
}

TEST(a_search_around_walks_is_clean) {
  size_t states = 0;
  for (uint64_t i = 1; i <= kSearches; i++) {
    const SearchResult result = search(RuleSet::all(), "all", i, {4, 3000});
    expect_clean(result.finding);
    states += result.states;
  }
  std::printf("  %zu states\n", states);
}

TEST(the_same_seed_gives_the_same_trace) {
  for (const std::string_view name : scenario_names()) {
    const std::optional<Scenario> scenario = scenario_named(name, 7);
    const Outcome one = Walk(RuleSet::all(), *scenario, 7).run(true);
    const Outcome other = Walk(RuleSet::all(), *scenario, 7).run(true);
    EXPECT_EQ(one.trace_hash, other.trace_hash);
    EXPECT(Walk(RuleSet::all(), *scenario, 8).run(true).trace_hash != one.trace_hash);
  }
}

}  // namespace
}  // namespace freshet::test
