#include "test/native/model/scenario.h"

#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

Mask some(SeededRandom& random, Mask among) {
  return both(among, byte(static_cast<int>(random.below(1u << kNodes))));
}

Mask one(SeededRandom& random) { return bit(static_cast<int>(random.below(kNodes))); }

Stage random_stage(SeededRandom& random, const Setup& setup) {
  Stage stage;
  stage.steps = 30 + static_cast<int>(random.below(160));
  stage.is_free = random.chance(50);
  if (random.chance(45)) stage.side = some(random, 0b11111);
  if (random.chance(12)) stage.mute = one(random);
  if (random.chance(12)) stage.deaf = one(random);
  if (random.chance(12)) stage.frozen = one(random);
  if (random.chance(12)) stage.lazy = one(random);
  if (random.chance(20)) stage.suspects = one(random);
  if (random.chance(20)) stage.crash = one(random);
  if (setup.persistent && random.chance(30)) stage.crash = some(random, 0b11111);
  if (setup.persistent && random.chance(70)) stage.boot = some(random, 0b11111);
  if (random.chance(30)) stage.never.push_back(Kind::kTick);
  return stage;
}

Scenario random_scenario(SeededRandom& random) {
  constexpr Mask kViewsOf[] = {0b00111, 0b01111, 0b11111};
  Scenario scenario;
  scenario.setup.members = kViewsOf[random.below(3)];
  scenario.setup.persistent = random.chance(50);
  scenario.setup.shard = some(random, scenario.setup.members);
  if (count(scenario.setup.shard) < 2) scenario.setup.shard = 0b00111;
  const size_t stages = 2 + random.below(5);
  for (size_t i = 0; i < stages; i++)
    scenario.stages.push_back(random_stage(random, scenario.setup));
  return scenario;
}

// Changes of the view alone, leader after leader: no leases, so no gate to wait for, no disks.
Scenario takeover_scenario(SeededRandom& random) {
  Scenario scenario = random_scenario(random);
  scenario.setup.persistent = false;
  for (Stage& stage : scenario.stages) {
    stage.lazy = 0;
    stage.never = {Kind::kTick, Kind::kHeartbeat, Kind::kStartRead, Kind::kFinishRead};
  }
  return scenario;
}

// Restart after restart, each by others and most of them broken off; sometimes a change of the view
// that is broken off before.
Scenario restarts_scenario(SeededRandom& random) {
  Scenario scenario = random_scenario(random);
  scenario.setup.persistent = true;
  scenario.stages.clear();
  const size_t stages = 3 + random.below(5);
  for (size_t i = 0; i < stages; i++) {
    if (random.chance(25)) {
      Stage change = random_stage(random, scenario.setup);
      change.boot = 0;
      change.never.push_back(Kind::kTick);
      scenario.stages.push_back(change);
    }
    const int steps = 10 + static_cast<int>(random.below(random.chance(30) ? 120 : 30));
    Stage restart = come_back(some(random, 0b11111), steps);
    if (random.chance(20)) restart.crash = some(random, 0b11111);
    scenario.stages.push_back(restart);
  }
  return scenario;
}

}  // namespace

std::optional<Scenario> scenario_named(std::string_view name, uint64_t seed) {
  SeededRandom random(seed);
  if (name == "any") return random_scenario(random);
  if (name == "takeover") return takeover_scenario(random);
  if (name == "restarts") return restarts_scenario(random);
  return directed_scenario(name);
}

const std::vector<std::string_view>& scenario_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all = {"any", "takeover", "restarts"};
    const std::vector<std::string_view> directed = directed_names();
    all.insert(all.end(), directed.begin(), directed.end());
    return all;
  }();
  return names;
}

std::string_view scenario_for(Rule rule) {
  switch (rule) {
    case Rule::kAttemptClearsSuspicion:
    case Rule::kDeliverWhatAllReceived:
    case Rule::kFinalReceivedOnlyWhenAllWedged:
    case Rule::kWedgedReceivesNothing:
    case Rule::kLeaseOfMajority:
    case Rule::kPrepareNeedsDelivered:
    case Rule::kCommitMajorityOfOld:
    case Rule::kInstalledIsCommit:
    case Rule::kReadWaitsForReceived:
    case Rule::kNoReadsWhileWedged:
      return "any";
    case Rule::kMajority:
    case Rule::kLeaderIsAgreed:
    case Rule::kSuspicionIsShared:
    case Rule::kReuseStandingTrim:
    case Rule::kAcknowledgedIsCopied:
    case Rule::kTakeNewestProposal:
    case Rule::kDropNeedsLeaders:
    case Rule::kCommitNeedsAllUnsuspectedSurvivors:
      return "takeover";
    case Rule::kPrepareIsDurable:
    case Rule::kRestartMajorityOfAdopted:
    case Rule::kRestartPreparedByAll:
      return "restarts";
    default:
      return directed_for(rule);
  }
}

}  // namespace freshet::model
