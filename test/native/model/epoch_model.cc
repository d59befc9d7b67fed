// epoch_model: walks or searches the model from the command line.
//
//   epoch_model [--seconds N | --walks N] [--seed N] [--scenario NAME] [--without RULE]
//   epoch_model --search DEPTH [--seed N] [--scenario NAME] [--without RULE]
//   epoch_model --list
//
// Exits with 1 when a violation was found, with 2 when it was not understood.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "test/native/model/checker.h"

namespace freshet::model {
namespace {

constexpr uint64_t kWalksAtOnce = 1000;

struct Options {
  uint64_t seconds = 0;
  uint64_t walks = 0;
  uint64_t seed = 1;
  int depth = 0;
  std::string scenario = "all";
  std::optional<Rule> without;
  bool list = false;
};

bool parse_number(const char* text, uint64_t& number) {
  char* end = nullptr;
  number = std::strtoull(text, &end, 10);
  return end != text && *end == '\0';
}

bool parse_option(std::string_view name, const char* value, Options& options) {
  uint64_t number = 0;
  if (name == "--scenario") {
    options.scenario = value;
    return options.scenario == "all" || scenario_named(value, 0).has_value();
  }
  if (name == "--without") {
    options.without = rule_named(value);
    return options.without.has_value();
  }
  if (!parse_number(value, number)) return false;
  if (name == "--seconds") options.seconds = number;
  if (name == "--walks") options.walks = number;
  if (name == "--seed") options.seed = number;
  if (name == "--search") options.depth = static_cast<int>(number);
  return name == "--seconds" || name == "--walks" || name == "--seed" || name == "--search";
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; i++) {
    if (std::strcmp(argv[i], "--list") == 0) {
      options.list = true;
    } else if (i + 1 >= argc || !parse_option(argv[i], argv[i + 1], options)) {
      std::fprintf(stderr, "epoch_model: '%s' is not understood; see --list\n", argv[i]);
      return false;
    } else {
      i++;
    }
  }
  return true;
}

void print_list() {
  std::printf("rules, and the scenario in which the canary of each is found:\n");
  for (size_t i = 0; i < kRules; i++) {
    const Rule rule = static_cast<Rule>(i);
    std::printf("  %-40s %-24s %s\n", std::string(name_of(rule)).c_str(),
                std::string(scenario_for(rule)).c_str(), std::string(meaning_of(rule)).c_str());
  }
}

int report_finding(const Finding& finding, const Options& options) {
  std::printf("%s", report(finding, options.without).c_str());
  return 1;
}

int run_search(const RuleSet& rules, const Options& options) {
  const SearchResult result =
      search(rules, options.scenario, options.seed, {options.depth, 200'000});
  std::printf("%zu states within %d steps\n", result.states, options.depth);
  return result.finding ? report_finding(*result.finding, options) : 0;
}

int run_walks(const RuleSet& rules, const Options& options) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(options.seconds);
  const uint64_t walks = options.seconds == 0 && options.walks == 0 ? 10'000 : options.walks;
  const bool is_settling = !options.without || is_for_progress(*options.without);
  Tally tally;
  while (walks != 0 ? tally.walks < walks : Clock::now() < end) {
    const uint64_t at_once = walks != 0 ? walks - tally.walks : kWalksAtOnce;
    const auto finding = walk_seeds(rules, options.scenario, options.seed + tally.walks,
                                    std::min(at_once, kWalksAtOnce), is_settling, tally);
    if (finding) return report_finding(*finding, options);
  }
  std::printf(
      "%llu walks, %llu steps, %llu views committed, %llu restarts, %llu came to rest\n",
      static_cast<unsigned long long>(tally.walks), static_cast<unsigned long long>(tally.steps),
      static_cast<unsigned long long>(tally.views), static_cast<unsigned long long>(tally.restarts),
      static_cast<unsigned long long>(tally.settled));
  return 0;
}

int run(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return 2;
  if (options.list) {
    print_list();
    return 0;
  }
  RuleSet rules = RuleSet::all();
  if (options.without) {
    rules = rules.without(*options.without);
    if (options.scenario == "all") options.scenario = scenario_for(*options.without);
  }
  return options.depth > 0 ? run_search(rules, options) : run_walks(rules, options);
}

}  // namespace
}  // namespace freshet::model

int main(int argc, char** argv) { return freshet::model::run(argc, argv); }
