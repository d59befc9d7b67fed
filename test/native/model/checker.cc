#include "test/native/model/checker.h"

#include <cstring>
#include <memory>
#include <unordered_set>

namespace freshet::model {
namespace {

std::string_view scenario_of(std::string_view wanted, uint64_t seed) {
  const std::vector<std::string_view>& names = scenario_names();
  return wanted == "all" ? names[seed % names.size()] : wanted;
}

void count_views(const State& state, Tally& tally) {
  for (Byte index = 2; index < state.view_count; index++) {
    const View& view = state.views[index];
    tally.views += view.committed;
    tally.restarts += view.committed != 0 && view.is_restart != 0 ? 1 : 0;
  }
}

// FNV-1a over the bytes: a State has no padding.
static_assert(std::has_unique_object_representations_v<State>);
uint64_t hash_of(const State& state) {
  uint64_t hash = 0xCBF29CE484222325ull;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&state);
  for (size_t at = 0; at < sizeof state; at += sizeof hash) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + at, std::min(sizeof word, sizeof state - at));
    hash = (hash ^ word) * 0x100000001B3ull;
    hash ^= hash >> 29;
  }
  return hash;
}

// What may happen next, faults and the ways of clocks left out.
std::vector<Action> all_actions() {
  std::vector<Action> actions = {{Kind::kTick, kNodes}};
  for (int kind = static_cast<int>(Kind::kArrive); kind <= static_cast<int>(Kind::kInstall);
       kind++) {
    for (int a = 0; a < kNodes; a++) {
      const auto takes_pair = [](Kind of) {
        return of == Kind::kArrive || of == Kind::kReceive || of == Kind::kSuspect ||
               of == Kind::kRelease;
      };
      for (int b = 0; b < (takes_pair(static_cast<Kind>(kind)) ? kNodes : 1); b++)
        actions.push_back({static_cast<Kind>(kind), byte(a), byte(b)});
    }
  }
  return actions;
}

// A state that was reached, and how.
struct Reached {
  State state;
  std::shared_ptr<const Reached> before;
  Action last;
};

std::vector<Action> path_to(const Reached& end, std::vector<Action> trace) {
  std::vector<Action> path;
  for (const Reached* at = &end; at->before != nullptr; at = at->before.get())
    path.push_back(at->last);
  trace.insert(trace.end(), path.rbegin(), path.rend());
  return trace;
}

}  // namespace

std::optional<Finding> walk_seeds(const RuleSet& rules, std::string_view scenario, uint64_t first,
                                  uint64_t walks, bool is_settling, Tally& tally) {
  for (uint64_t seed = first; seed < first + walks; seed++) {
    const std::string_view name = scenario_of(scenario, seed);
    const std::optional<Scenario> world = scenario_named(name, seed);
    Walk walk(rules, *world, seed);
    Outcome outcome = walk.run(is_settling);
    tally.walks++;
    tally.steps += outcome.trace.size();
    tally.settled += outcome.is_settled ? 1 : 0;
    count_views(walk.model().state(), tally);
    if (!outcome.violation.empty()) return Finding{seed, name, std::move(outcome)};
  }
  return std::nullopt;
}

SearchResult search(const RuleSet& rules, std::string_view scenario, uint64_t seed,
                    const SearchLimits& limits) {
  const std::string_view name = scenario_of(scenario, seed);
  const std::optional<Scenario> world = scenario_named(name, seed);
  Walk walk(rules, *world, seed);
  walk.run_stages();
  const std::vector<Action> actions = all_actions();
  Model model = walk.model();
  std::vector<std::shared_ptr<const Reached>> frontier = {
      std::make_shared<Reached>(Reached{model.state(), nullptr, {}})};
  std::unordered_set<uint64_t> known = {hash_of(model.state())};
  for (int depth = 0; depth < limits.depth && model.violation().empty(); depth++) {
    std::vector<std::shared_ptr<const Reached>> next;
    for (const auto& from : frontier) {
      for (const Action& action : actions) {
        model.restore(from->state);
        if (!model.apply(action)) continue;
        const auto reached = std::make_shared<Reached>(Reached{model.state(), from, action});
        if (!model.violation().empty()) {
          Outcome outcome{model.violation(), path_to(*reached, walk.trace()), 0, false};
          return {known.size(), Finding{seed, name, std::move(outcome)}};
        }
        if (known.size() < limits.states_max && known.insert(hash_of(reached->state)).second)
          next.push_back(reached);
      }
    }
    frontier = std::move(next);
  }
  return {known.size(), std::nullopt};
}

std::string report(const Finding& finding, std::optional<Rule> without) {
  std::string text;
  size_t number = 0;
  for (const Action& action : finding.outcome.trace)
    text += "  " + std::to_string(++number) + ". " + text_of(action) + "\n";
  text += "seed " + std::to_string(finding.seed) + ", scenario " + std::string(finding.scenario) +
          ": " + finding.outcome.violation + "\nreplay: npm run sim -- --model --walks 1 --seed " +
          std::to_string(finding.seed) + " --scenario " + std::string(finding.scenario);
  if (without) text += " --without " + std::string(name_of(*without));
  return text + "\n";
}

}  // namespace freshet::model
