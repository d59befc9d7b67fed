// Two survivors of an epoch, nodes 0 and 2, write a trim each. Node 1, which leaves, sees to it
// that either of them may have a majority of the view with it.
#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

constexpr Setup kThree{.members = 0b00111, .shard = 0b00111, .persistent = false};

const Row& row(const State& state, int node) {
  return state.members[static_cast<size_t>(node)].table[static_cast<size_t>(node)];
}

// Messages that node 2 has and node 0 has not.
Stage send_unevenly() {
  return {.steps = 80,
          .deaf = bit(0),
          .never = {Kind::kTick, Kind::kSuspect, Kind::kPropose, Kind::kHeartbeat}};
}

Stage wedge() {
  return {.steps = 300,
          .leaders = bit(0),
          .change = Change::kLeaveView,
          .which = 1,
          .never = {Kind::kTick, Kind::kSuspect, Kind::kTrim, Kind::kHeartbeat, Kind::kReceive},
          .until = [](const State& state) {
            return row(state, 0).wedged == 1 && state.members[0].table[2].wedged == 1;
          }};
}

bool has_0_trimmed(const State& state) { return row(state, 0).trim_epoch == 1; }
bool has_2_trimmed(const State& state) { return row(state, 2).trim_epoch == 1; }
bool has_0_delivered(const State& state) { return state.members[0].trim_delivered == 1; }
bool has_2_delivered(const State& state) { return state.members[2].trim_delivered == 1; }

// Node 0 writes a trim that nobody sees; 2 ends the epoch without it; 0 then uses its own.
Scenario trim_alone() {
  Scenario scenario{"trim-alone", kThree, {send_unevenly(), wedge()}};
  scenario.stages.push_back({.steps = 120,
                             .mute = bit(0),
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kHeartbeat},
                             .until = has_0_trimmed});
  scenario.stages.push_back({.steps = 300,
                             .side = bit(0),
                             .lazy = bit(0),
                             .never = {Kind::kHeartbeat, Kind::kNewAttempt},
                             .until = has_2_delivered});
  scenario.stages.push_back(
      {.steps = 300, .side = bit(0), .never = {Kind::kHeartbeat, Kind::kNewAttempt}});
  return scenario;
}

// Node 0 ends the epoch with node 1. Node 2, which has not heard, suspects 0 all by itself.
Scenario trim_unagreed() {
  Scenario scenario{"trim-unagreed", kThree, {send_unevenly(), wedge()}};
  scenario.stages.push_back({.steps = 400,
                             .side = bit(2),
                             .lazy = bit(2),
                             .never = {Kind::kHeartbeat, Kind::kNewAttempt, Kind::kShareSuspicion},
                             .until = has_0_delivered});
  scenario.stages.push_back({.steps = 200,
                             .side = bit(2),
                             .lazy = 0b00011,
                             .never = {Kind::kHeartbeat, Kind::kNewAttempt, Kind::kShareSuspicion},
                             .until = has_2_trimmed});
  scenario.stages.push_back({.steps = 300,
                             .side = bit(0),
                             .lazy = bit(0),
                             .never = {Kind::kHeartbeat, Kind::kNewAttempt}});
  return scenario;
}

}  // namespace

std::vector<Scenario> epoch_end_scenarios() { return {trim_alone(), trim_unagreed()}; }

}  // namespace freshet::model
