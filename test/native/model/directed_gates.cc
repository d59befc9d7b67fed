// Node 2 has a lease, as in directed_leases.cc; what the others wait for before they go on.
#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

constexpr int kReader = 2;
constexpr Byte kFirstTick = 20;

const Row& row(const State& state, int node) {
  return state.members[static_cast<size_t>(node)].table[static_cast<size_t>(node)];
}

bool has_0_acknowledged(const State& state) { return row(state, 0).acked > 1; }

// Messages that the reader has not: it does not come to deliver them.
Stage send_past_reader() {
  return {.steps = 60,
          .deaf = bit(kReader),
          .never = {Kind::kTick, Kind::kSuspect, Kind::kPropose, Kind::kHeartbeat}};
}

Stage clocks(Stage stage, bool (*until)(const State&)) {
  stage.steps = 300;
  stage.often.push_back(Kind::kTick);
  stage.until = until;
  for (const Kind kind : {Kind::kSuspect, Kind::kPropose, Kind::kAcknowledge, Kind::kNewAttempt})
    stage.never.push_back(kind);
  return stage;
}

// L has passed at node 0, and at the reader, unless its clock lags.
Scenario lagging_reader() {
  Scenario scenario{"lagging-reader", {}, {warm_up()}};
  scenario.stages.push_back(
      clocks({.side = bit(kReader), .never = {Kind::kHeartbeat}},
             [](const State& state) { return state.members[0].clock >= kFirstTick + kLease; }));
  scenario.stages.push_back(go_on_without(bit(kReader)));
  return scenario;
}

// Node 0 alone has acknowledged that the reader leaves, for a long time, in which 1 goes on to echo
// the reader.
Scenario unheard_leader() {
  Scenario scenario{"unheard-leader", {}, {warm_up(), send_past_reader()}};
  scenario.stages.push_back({.steps = 100,
                             .mute = bit(0),
                             .leaders = bit(0),
                             .change = Change::kLeaveView,
                             .which = kReader,
                             .never = {Kind::kTick, Kind::kSuspect},
                             .until = has_0_acknowledged});
  scenario.stages.push_back(
      clocks({.side = bit(0), .often = {Kind::kHeartbeat}},
             [](const State& state) { return state.members[0].clock > kFirstTick + kLapse; }));
  scenario.stages.push_back(go_on_without(bit(kReader)));
  return scenario;
}

bool are_in_a_new_attempt(const State& state) {
  for (int node = 0; node < 3; node++) {
    const bool is_new = row(state, node).attempt > 1 && row(state, node).suspected == 0;
    if (!is_new || row(state, node).attempt != row(state, 0).attempt) return false;
  }
  return true;
}

// The reader waived its lease, and node 0 suspects 1, too: a new attempt, in which the reader has
// another lease and is suspected again.
Scenario waived_before() {
  Scenario scenario{"waived-before", {}, waived_by_reader()};
  scenario.stages.push_back({.steps = 400,
                             .suspects = bit(1),
                             .never = {Kind::kTick, Kind::kPropose, Kind::kSend},
                             .often = {Kind::kNewAttempt, Kind::kJoinAttempt},
                             .until = are_in_a_new_attempt});
  scenario.stages.push_back(clocks({.never = {Kind::kJoinAttempt}}, [](const State& state) {
    return state.members[kReader].clock > kFirstTick + 1;
  }));
  scenario.stages.push_back(warm_up());
  scenario.stages.push_back(suspect_reader());
  scenario.stages.push_back(go_on_without(bit(kReader)));
  return scenario;
}

// The shard's members are cut off, all of them, with leases; the others have it begin anew on node
// 0.
Scenario begun_anew() {
  constexpr Mask kLost = 0b11000;
  Scenario scenario{"begun-anew", {.members = 0b11111, .shard = kLost}, {warm_up()}};
  scenario.stages.push_back({.steps = 500,
                             .side = kLost,
                             .lazy = kLost,
                             .never = {Kind::kHeartbeat, Kind::kStartRead},
                             .until = [](const State& state) {
                               return row(state, 0).installed > 1 && row(state, 1).installed > 1 &&
                                      row(state, 2).installed > 1;
                             }});
  Stage anew = go_on_without(kLost);
  anew.change = Change::kJoinShard;
  anew.which = 0;
  anew.often.push_back(Kind::kStartRead);
  scenario.stages.push_back(anew);
  return scenario;
}

}  // namespace

std::vector<Scenario> gate_scenarios() {
  return {lagging_reader(), unheard_leader(), waived_before(), begun_anew()};
}

}  // namespace freshet::model
