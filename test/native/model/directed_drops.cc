// A leader of five drops what another one proposed, which the members who acknowledged that prepare
// all the same. The shard lies on nodes 2 and 3 and does not change.
#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

constexpr Setup kFive{.members = 0b11111, .shard = 0b01100, .persistent = false};

const Row& row(const State& state, int node) {
  return state.members[static_cast<size_t>(node)].table[static_cast<size_t>(node)];
}

bool have_2_and_3_acknowledged(const State& state) {
  return row(state, 2).acked > 1 && row(state, 3).acked > 1;
}

bool has_0_installed(const State& state) { return row(state, 0).installed > 1; }

bool has_1_proposed_another(const State& state) {
  return row(state, 1).proposed > row(state, 0).proposed;
}

Stage quiet(Stage stage) {
  for (const Kind kind : {Kind::kTick, Kind::kHeartbeat, Kind::kStartRead, Kind::kSend})
    stage.never.push_back(kind);
  return stage;
}

// What node 1 dropped, 0 has prepared by 2 and 3, whom 1 reaches later.
void prepare_late(Scenario& scenario) {
  scenario.stages.push_back(
      quiet({.steps = 300,
             .side = 0b10010,
             .never = {Kind::kAcknowledge, Kind::kNewAttempt, Kind::kJoinAttempt},
             .until = has_0_installed}));
  // Whoever suspects others prepares when the gate opens.
  std::erase(scenario.stages.back().never, Kind::kTick);
  scenario.stages.push_back(quiet({.steps = 400, .side = bit(0), .never = {Kind::kNewAttempt}}));
}

// Node 0 removes 1 and 4, which are back at once; without 0 there are too few to finish that, and
// the others go on in a new attempt.
Scenario late_preparation() {
  Scenario scenario{"late-preparation", kFive, {}};
  scenario.stages.push_back(quiet({.steps = 300,
                                   .side = 0b10010,
                                   .leaders = bit(0),
                                   .never = {Kind::kPrepare, Kind::kNewAttempt},
                                   .until = have_2_and_3_acknowledged}));
  scenario.stages.push_back(quiet({.steps = 500,
                                   .side = bit(0),
                                   .lazy = bit(0),
                                   .leaders = bit(1),
                                   .never = {Kind::kPrepare},
                                   .often = {Kind::kNewAttempt},
                                   .until = has_1_proposed_another}));
  prepare_late(scenario);
  return scenario;
}

// Node 0 would let 4 leave; 1 suspects it, and would keep 4.
Scenario early_drop() {
  Scenario scenario{"early-drop", kFive, {}};
  scenario.stages.push_back(quiet({.steps = 300,
                                   .leaders = bit(0),
                                   .change = Change::kLeaveView,
                                   .which = 4,
                                   .never = {Kind::kSuspect, Kind::kPrepare},
                                   .until = have_2_and_3_acknowledged}));
  scenario.stages.push_back(quiet({.steps = 300,
                                   .side = bit(0),
                                   .lazy = bit(0),
                                   .leaders = bit(1),
                                   .change = Change::kJoinView,
                                   .which = 4,
                                   .never = {Kind::kPrepare, Kind::kAcknowledge, Kind::kNewAttempt},
                                   .until = has_1_proposed_another}));
  prepare_late(scenario);
  return scenario;
}

constexpr int kReader = 2;
constexpr Mask kPair = 0b11000;
constexpr Mask kWithoutReader = 0b11011;
constexpr Mask kWithReader = 0b00111;

bool have_acknowledged(const State& state, Mask nodes, Mask members) {
  for (int node = 0; node < kNodes; node++) {
    const Byte acked = row(state, node).acked;
    if (has(nodes, node) && (acked == 1 || state.views[acked].members != members)) return false;
  }
  return true;
}

bool have_all_removed_the_reader(const State& state) {
  return have_acknowledged(state, kWithoutReader, kWithoutReader);
}

bool has_the_pair_ended(const State& state) {
  return state.members[3].trim_delivered == 1 && state.members[4].trim_delivered == 1;
}

bool have_all_kept_the_reader(const State& state) {
  return have_acknowledged(state, kWithReader, kWithReader);
}

bool has_the_reader_ended(const State& state) { return state.members[kReader].trim_delivered == 1; }

bool has_the_reader_a_new_lease(const State& state) {
  const Member& reader = state.members[kReader];
  return reader.table[0].echo[kReader] == reader.clock &&
         reader.table[1].echo[kReader] == reader.clock;
}

Stage unprepared(Stage stage, bool (*until)(const State&)) {
  stage.steps = 600;
  stage.never.push_back(Kind::kPrepare);
  stage.until = until;
  return stage;
}

// Nodes 3 and 4 end the epoch for a view without the reader, which 0 and 1 cannot finish when those
// are lost. They drop it for one that keeps the reader, where it ends its epoch, too; and that for
// a third, without it. Of what 3 and 4 have to end nothing is left then.
Scenario dropped_twice() {
  Scenario scenario{"dropped-twice", {.members = 0b11111, .shard = 0b11100}, {warm_up()}};
  std::vector<Stage>& stages = scenario.stages;
  const Stage first{.side = bit(kReader), .lazy = bit(kReader), .never = {Kind::kNewAttempt}};
  stages.push_back(unprepared(first, have_all_removed_the_reader));
  stages.push_back(unprepared(first, has_the_pair_ended));
  stages[1].never.push_back(Kind::kTick);
  stages[2].often = {Kind::kTick};
  const Stage second{.side = kPair, .lazy = kPair};
  stages.push_back(unprepared(second, have_all_kept_the_reader));
  stages.push_back(unprepared(second, has_the_reader_ended));
  stages.push_back(unprepared(second, has_the_reader_a_new_lease));
  stages[3].often = {Kind::kNewAttempt};
  stages[4].often = {Kind::kTick};
  stages[5].often = {Kind::kHeartbeat};
  for (const size_t nth : {3u, 5u}) stages[nth].never.push_back(Kind::kTick);
  stages.push_back({.steps = 900,
                    .side = bit(kReader),
                    .lazy = bit(kReader),
                    .never = {Kind::kTick},
                    .often = {Kind::kNewAttempt, Kind::kSend, Kind::kStartRead}});
  return scenario;
}

}  // namespace

std::vector<Scenario> drop_scenarios() {
  return {late_preparation(), early_drop(), dropped_twice()};
}

}  // namespace freshet::model
