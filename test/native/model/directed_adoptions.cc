// Restarts that go on from what was only prepared, or that find the records of what came to
// nothing.
#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

constexpr Setup kFive{.members = 0b11111, .shard = 0b00111, .persistent = true};

const Disk& disk(const State& state, int node) {
  return state.members[static_cast<size_t>(node)].disk;
}
Byte committed(const State& state, int node) { return disk(state, node).committed; }

// Of all, this node alone has prepared the newest restart's view.
bool is_alone(const State& state, int node) {
  const View& newest = state.views[state.view_count - 1u];
  return newest.is_restart != 0 && newest.prepared_by == bit(node);
}
bool is_0_alone(const State& state) { return is_alone(state, 0); }
// And that view goes past another restart's.
bool is_0_alone_again(const State& state) {
  const View& newest = state.views[state.view_count - 1u];
  return is_0_alone(state) && state.views[newest.parent].is_restart != 0;
}
bool is_4_alone(const State& state) { return is_alone(state, 4); }

// 0 to 2 begin a restart that 0 alone prepares; `who` go past it. Then those who know nothing.
Scenario past_a_restart(std::string_view name, Mask who) {
  return {name,
          kFive,
          {come_back(0b00111, 120, is_0_alone), come_back(who, 200), come_back(0b11100, 200)}};
}

// 0, 1 and 3 adopt the restart of 0 to 2, and 0 alone prepares the view after it; 0 and 1 go on
// from that, in the belief that what they adopted was committed.
Scenario half_adopted() {
  return {"half-adopted",
          kFive,
          {come_back(0b00111, 120, is_0_alone), come_back(0b01011, 160, is_0_alone_again),
           come_back(0b00011, 200), come_back(0b11100, 200)}};
}

// The same, but 2 to 4 have begun another restart meanwhile, which 4 alone prepared: its number is
// above that of what is adopted.
Scenario adopted_beside_another() {
  return {"adopted-beside-another",
          kFive,
          {come_back(0b00111, 120, is_0_alone), come_back(0b11100, 120, is_4_alone),
           come_back(0b01011, 160, is_0_alone_again), come_back(0b10011, 200),
           come_back(0b11100, 200)}};
}

// Node 0 alone has prepared a view, the others all install another one of that number; then most.
Scenario lost_record() {
  Scenario scenario{"lost-record", {.members = 0b01111, .shard = 0b01100, .persistent = true}, {}};
  scenario.stages.push_back(alone_with_a_record());
  scenario.stages.push_back({.steps = 600,
                             .side = bit(0),
                             .leaders = bit(1),
                             .never = {Kind::kTick, Kind::kHeartbeat, Kind::kNewAttempt},
                             .until = [](const State& state) {
                               return committed(state, 1) > 1 && committed(state, 2) > 1 &&
                                      committed(state, 3) > 1;
                             }});
  scenario.stages.push_back(come_back(0b01111, 200));
  return scenario;
}

// Node 3 is given the shard that 2 alone holds, and has not got it when all stops; then not 2.
Scenario unfilled_joiner() {
  Scenario scenario{
      "unfilled-joiner", {.members = 0b01111, .shard = 0b00100, .persistent = true}, {}};
  scenario.stages.push_back(
      {.steps = 80, .never = {Kind::kTick, Kind::kSuspect, Kind::kPropose, Kind::kHeartbeat}});
  scenario.stages.push_back({.steps = 500,
                             .lazy = bit(3),
                             .leaders = bit(0),
                             .change = Change::kJoinShard,
                             .which = 3,
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kHeartbeat},
                             .until = [](const State& state) {
                               return disk(state, 0).prepared > 1 && disk(state, 1).prepared > 1;
                             }});
  scenario.stages.push_back(come_back(0b01011, 200));
  return scenario;
}

constexpr Setup kShardOfTwo{.members = 0b11111, .shard = 0b00110, .persistent = true};

// Node 0 has node 1 leave the shard.
Stage leave_2_alone(bool (*until)(const State&)) {
  return {.steps = 500,
          .leaders = bit(0),
          .change = Change::kLeaveShard,
          .which = 1,
          .never = {Kind::kTick, Kind::kSuspect, Kind::kHeartbeat},
          .until = until};
}

// What 2 shows then is with 2 alone when all stops, and neither 2 nor 0 is back.
void lose_sight_of_2(Scenario& scenario) {
  scenario.stages.push_back({.steps = 120,
                             .side = 0b00101,
                             .lazy = 0b11010,
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kPropose}});
  scenario.stages.push_back(come_back(0b11010, 200));
}

// Node 2 goes on with the shard alone; 0 has committed that. Who comes back has prepared it, but
// has not seen it installed.
Scenario shard_moved_on() {
  Scenario scenario{"shard-moved-on", kShardOfTwo, {}};
  scenario.stages.push_back(leave_2_alone([](const State& state) {
    return disk(state, 3).prepared > 1 && disk(state, 4).prepared > 1 && committed(state, 0) > 1;
  }));
  lose_sight_of_2(scenario);
  return scenario;
}

// The same without 4, which is lost before it could prepare.
Scenario prepared_by_few() {
  Scenario scenario{"prepared-by-few", kShardOfTwo, {}};
  scenario.stages.push_back(
      leave_2_alone([](const State& state) { return state.members[0].table[0].proposed > 1; }));
  scenario.stages.push_back({.steps = 600,
                             .crash = bit(4),
                             .never = {Kind::kPropose, Kind::kNewAttempt},
                             .until = [](const State& state) {
                               return disk(state, 3).prepared > 1 && committed(state, 0) > 1;
                             }});
  lose_sight_of_2(scenario);
  return scenario;
}

}  // namespace

std::vector<Scenario> adoption_scenarios() {
  return {past_a_restart("base-left-out", 0b10011),
          past_a_restart("minority-of-base", 0b00011),
          half_adopted(),
          adopted_beside_another(),
          lost_record(),
          unfilled_joiner(),
          shard_moved_on(),
          prepared_by_few()};
}

}  // namespace freshet::model
