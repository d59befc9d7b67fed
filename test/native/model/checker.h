// Explores the model: random walks from seeds, and breadth-first search from where a walk's stages
// end. Both are deterministic; neither looks at a clock except to stop after the seconds given.
#ifndef FRESHET_TEST_NATIVE_MODEL_CHECKER_H_
#define FRESHET_TEST_NATIVE_MODEL_CHECKER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "test/native/model/rules.h"
#include "test/native/model/walk.h"

namespace freshet::model {

// A violation, with all that is needed to see it again.
struct Finding {
  uint64_t seed = 0;
  std::string_view scenario;
  Outcome outcome;
};

struct Tally {
  uint64_t walks = 0;
  uint64_t steps = 0;
  uint64_t settled = 0;  // walks after which liveness was asked and held
  uint64_t views = 0;    // committed
  uint64_t restarts = 0;
};

// Walks from seeds first, first + 1 and so on until one violates or all are walked. "all" as the
// scenario takes each in turn. `is_settling`: liveness is asked after each, too.
std::optional<Finding> walk_seeds(const RuleSet& rules, std::string_view scenario, uint64_t first,
                                  uint64_t walks, bool is_settling, Tally& tally);

struct SearchLimits {
  int depth = 4;
  size_t states_max = 20'000;
};
struct SearchResult {
  size_t states = 0;
  std::optional<Finding> finding;
};

// All orders of the next `depth` steps after the stages of one walk, faults left out.
SearchResult search(const RuleSet& rules, std::string_view scenario, uint64_t seed,
                    const SearchLimits& limits);

// Seed, numbered actions and the command that shows it again.
std::string report(const Finding& finding, std::optional<Rule> without);

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_CHECKER_H_
