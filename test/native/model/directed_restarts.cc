// Everything stops, once or more often, and other members come back each time.
#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

constexpr Setup kThree{.members = 0b00111, .shard = 0b00111, .persistent = true};
constexpr Mask kAll = 0b11111;
constexpr Mask kFour = 0b01111;

const Member& member(const State& state, int node) {
  return state.members[static_cast<size_t>(node)];
}
const Row& row(const State& state, int node) {
  return member(state, node).table[static_cast<size_t>(node)];
}
Byte prepared(const State& state, int node) { return member(state, node).disk.prepared; }
Byte committed(const State& state, int node) { return member(state, node).disk.committed; }

Stage work(int steps) {
  return {.steps = steps, .never = {Kind::kTick, Kind::kSuspect, Kind::kPropose}};
}

Scenario shown_then_power_cut() {
  return {"power-cut", kThree, {work(150), come_back(0b00111, 120)}};
}

// Node 0 dies, 1 and 2 go on in a view of their own.
Stage go_on_without_0(bool (*until)(const State&)) {
  return {.steps = 500,
          .crash = bit(0),
          .never = {Kind::kTick, Kind::kHeartbeat, Kind::kNewAttempt},
          .until = until};
}

Scenario old_view_returns() {
  const auto both_are_in = [](const State& state) {
    return committed(state, 1) > 1 && committed(state, 2) > 1;
  };
  return {"old-view-returns",
          kThree,
          {work(60), go_on_without_0(both_are_in), come_back(0b00011, 200)}};
}

Scenario prepared_only() {
  const auto one_is_in = [](const State& state) {
    return committed(state, 1) > 1 && committed(state, 2) == 1;
  };
  return {"prepared-only", kThree, {work(60), go_on_without_0(one_is_in), come_back(0b00101, 200)}};
}

// Three restart without node 0 and its record, one commits; then 0, 1 and 2.
Scenario unseen_record() {
  Scenario scenario{"unseen-record", {.members = kFour, .shard = 0b00111, .persistent = true}, {}};
  scenario.stages.push_back(alone_with_a_record());
  Stage without_0 = come_back(0b01110, 200, [](const State& state) {
    return committed(state, 2) > 1 || committed(state, 3) > 1;
  });
  without_0.never.push_back(Kind::kHeartbeat);
  scenario.stages.push_back(without_0);
  scenario.stages.push_back(come_back(0b00111, 200));
  return scenario;
}

// Node 0 alone has prepared a view, the others commit another one of that number; then 0, 2 and 3.
Scenario one_number_twice() {
  Scenario scenario{
      "one-number-twice", {.members = kFour, .shard = 0b01100, .persistent = true}, {}};
  scenario.stages.push_back(alone_with_a_record());
  scenario.stages.push_back({.steps = 400,
                             .side = bit(0),
                             .leaders = bit(1),
                             .never = {Kind::kTick, Kind::kHeartbeat, Kind::kNewAttempt},
                             .until = [](const State& state) {
                               return committed(state, 1) > 1 && prepared(state, 2) > 1 &&
                                      prepared(state, 3) > 1;
                             }});
  scenario.stages.push_back(come_back(0b01101, 200));
  return scenario;
}

// 0 and 1 begin a restart that only 0 prepares; 1 and 2 begin another that 2 commits; then 0 and 1.
Scenario broken_restart() {
  const auto only_0_has_prepared = [](const State& state) {
    return prepared(state, 0) > 1 && prepared(state, 1) == 1;
  };
  const auto only_2_has_committed = [](const State& state) {
    return committed(state, 2) > 1 && committed(state, 1) == 1;
  };
  return {"broken-restart",
          kThree,
          {come_back(0b00011, 60, only_0_has_prepared),
           come_back(0b00110, 60, only_2_has_committed), come_back(0b00011, 200)}};
}

// Node 2 has a lease and lives on, cut off; the other two stop and start at once.
Scenario quick_restart() {
  Scenario scenario{"quick-restart", kThree, {work(120)}};
  scenario.stages[0].never.push_back(Kind::kSend);
  Stage restart = come_back(0b00011, 400);
  restart.crash = 0b00011;
  restart.lazy = bit(2);
  scenario.stages.push_back(restart);
  return scenario;
}

// The one member of the shard dies with what it showed; node 0 is given the shard, without a donor.
Scenario incomplete_joiner() {
  Scenario scenario{
      "incomplete-joiner", {.members = 0b00111, .shard = 0b00100, .persistent = true}, {work(60)}};
  scenario.stages.push_back({.steps = 900,
                             .crash = bit(2),
                             .leaders = bit(0),
                             .change = Change::kJoinShard,
                             .which = 0,
                             .never = {Kind::kTick, Kind::kHeartbeat, Kind::kNewAttempt},
                             .until = [](const State& state) {
                               return member(state, 0).disk.incomplete != 0 &&
                                      row(state, 1).installed > 1 &&
                                      row(state, 0).installed == row(state, 1).installed;
                             }});
  scenario.stages.push_back(come_back(0b00011, 200));
  return scenario;
}

// Nodes 0 and 1 have ended an epoch of three; what 0 takes for synced at both it shows. Then 0 is
// away.
Scenario unsynced_end() {
  Scenario scenario{"unsynced-end", kThree, {work(80)}};
  scenario.stages.push_back({.steps = 400,
                             .leaders = bit(0),
                             .change = Change::kLeaveShard,
                             .which = 2,
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kHeartbeat},
                             .until = [](const State& state) {
                               return row(state, 0).epoch > 1 && row(state, 1).epoch > 1;
                             }});
  scenario.stages.push_back(work(60));
  scenario.stages.back().frozen = bit(1);
  for (Stage& stage : scenario.stages) stage.never.push_back(Kind::kPersist);
  scenario.stages.back().never.pop_back();
  scenario.stages.push_back(come_back(0b00110, 200));
  return scenario;
}

// Node 0 alone has synced the most when all stops. The others begin a restart without it, which is
// adopted by all three.
Scenario unshared_tail() {
  Stage unsynced = work(120);
  unsynced.never.push_back(Kind::kPersist);
  Stage synced_at_0 = work(20);
  synced_at_0.frozen = 0b00110;
  synced_at_0.often.push_back(Kind::kPersist);
  const auto is_prepared = [](const State& state) {
    return prepared(state, 1) > 1 || prepared(state, 2) > 1;
  };
  return {"unshared-tail",
          kThree,
          {unsynced, synced_at_0, come_back(0b00110, 60, is_prepared), come_back(0b00111, 200)}};
}

// Node 3 goes on with the shard alone, then dies, too; all stop, and 4 is back with what it had.
Scenario closed_shard() {
  const auto is_3_alone = [](const State& state) { return row(state, 3).epoch > 1; };
  const auto is_closed = [](const State& state) {
    const Byte newest = committed(state, 0);
    return newest > 2 && committed(state, 1) == newest && committed(state, 2) == newest;
  };
  Scenario scenario{
      "closed-shard", {.members = kAll, .shard = 0b11000, .persistent = true}, {work(60)}};
  for (const int lost : {4, 3}) {
    scenario.stages.push_back({.steps = 500,
                               .crash = bit(lost),
                               .never = {Kind::kHeartbeat, Kind::kNewAttempt},
                               .until = lost == 4 ? +is_3_alone : +is_closed});
    if (lost == 4) scenario.stages.push_back(work(60));
  }
  scenario.stages.push_back(come_back(0b10111, 200));
  return scenario;
}

}  // namespace

Stage come_back(Mask who, int steps, bool (*until)(const State&)) {
  return {.steps = steps,
          .side = who,
          .crash = kAll,
          .boot = who,
          .never = {Kind::kAbandonRestart, Kind::kSuspect, Kind::kTick},
          .often = {Kind::kMeet, Kind::kRestartFill, Kind::kRestartAdopt, Kind::kRestartPrepare,
                    Kind::kRestartCommit},
          .until = until};
}

Stage alone_with_a_record() {
  return {.steps = 200,
          .mute = bit(0),
          .leaders = bit(0),
          .change = Change::kJoinView,
          .which = 4,
          .never = {Kind::kTick, Kind::kSuspect, Kind::kHeartbeat},
          .until = [](const State& state) { return prepared(state, 0) > 1; }};
}

std::vector<Scenario> restart_scenarios() {
  return {shown_then_power_cut(), old_view_returns(), prepared_only(), unseen_record(),
          one_number_twice(),     broken_restart(),   quick_restart(), incomplete_joiner(),
          unsynced_end(),         unshared_tail(),    closed_shard()};
}

}  // namespace freshet::model
