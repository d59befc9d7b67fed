// Node 2 has a lease, the others go on without it, node 2 reads. No clock moves unless told.
#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

constexpr int kReader = 2;
constexpr Mask kRest = 0b00011;

const Row& row(const State& state, int node) {
  return state.members[static_cast<size_t>(node)].table[static_cast<size_t>(node)];
}

bool is_reader_suspected(const State& state) {
  return has(both(row(state, 0).suspected, row(state, 1).suspected), kReader);
}

bool is_reader_released(const State& state) {
  return has(both(row(state, 0).released, row(state, 1).released), kReader);
}

bool have_rest_acknowledged(const State& state) {
  return row(state, 0).acked > 1 && row(state, 1).acked > 1;
}

// A promise lapses, then the echo that was to be frozen is renewed, then the world goes on.
Scenario echo_after_suspicion() {
  Scenario scenario{"echo-after-suspicion", {}, {warm_up(), suspect_reader()}};
  scenario.stages.push_back({.steps = 200,
                             .lazy = bit(kReader),
                             .never = {Kind::kPropose, Kind::kHeartbeat},
                             .often = {Kind::kTick},
                             .until = is_reader_released});
  scenario.stages.push_back({.steps = 120,
                             .lazy = bit(kReader),
                             .never = {Kind::kTick, Kind::kPropose},
                             .often = {Kind::kHeartbeat}});
  scenario.stages.push_back(go_on_without(bit(kReader)));
  return scenario;
}

Scenario waived_lease() {
  Scenario scenario{"waived-lease", {}, waived_by_reader()};
  scenario.stages.push_back(go_on_without(bit(kReader)));
  return scenario;
}

// The same, and then the reader begins a new attempt while the others end the view.
Scenario waived_then_new_attempt() {
  Scenario scenario = waived_lease();
  scenario.name = "waived-then-new-attempt";
  Stage& last = scenario.stages.back();
  last.lazy = 0;
  last.often.push_back(Kind::kNewAttempt);
  last.never.push_back(Kind::kJoinAttempt);
  return scenario;
}

Scenario cut_off_reader() {
  return {"cut-off-reader", {}, {warm_up(), go_on_without(bit(kReader))}};
}

// The reader leaves the view; time passes, everyone echoes it on.
Scenario removed_reader() {
  Scenario scenario{"removed-reader", {}, {warm_up()}};
  scenario.stages.push_back({.steps = 600,
                             .lazy = bit(kReader),
                             .leaders = bit(0),
                             .change = Change::kLeaveView,
                             .which = kReader,
                             .often = {Kind::kTick, Kind::kFinishRead}});
  return scenario;
}

// The epoch ends for a joiner, nobody is removed; the reader misses it and is suspected.
Scenario suspected_survivor() {
  Scenario scenario{"suspected-survivor", {}, {warm_up()}};
  scenario.stages.push_back({.steps = 200,
                             .deaf = bit(kReader),
                             .lazy = bit(kReader),
                             .leaders = bit(0),
                             .change = Change::kJoinShard,
                             .which = 3,
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kTrim},
                             .often = {Kind::kSend},
                             .until = have_rest_acknowledged});
  scenario.stages.push_back(go_on_without(bit(kReader)));
  return scenario;
}

// The reader is to leave the shard but stay in the view.
Stage leave_shard(Mask lazy) {
  return {.steps = 500,
          .lazy = lazy,
          .leaders = bit(0),
          .change = Change::kLeaveShard,
          .which = kReader,
          .never = {Kind::kTick, Kind::kSuspect, Kind::kHeartbeat},
          .often = {Kind::kSend}};
}

bool is_reader_at_trim(const State& state) { return state.members[kReader].trim_delivered != 0; }
bool is_reader_prepared(const State& state) { return row(state, kReader).prepared > 1; }

// It has delivered the trim and reads again, under a lease of the view to be.
Scenario leaver_suspected() {
  Scenario scenario{"leaver-suspected", {}, {warm_up(), leave_shard(0)}};
  scenario.stages[1].never.push_back(Kind::kPrepare);
  scenario.stages[1].until = is_reader_at_trim;
  scenario.stages.push_back({.steps = 120,
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kPrepare},
                             .often = {Kind::kHeartbeat}});
  scenario.stages.push_back(go_on_without(bit(kReader)));
  return scenario;
}

// It has prepared; the others install and go on, it has not seen that yet.
Scenario leaver_prepared() {
  Scenario scenario{"leaver-prepared", {}, {warm_up(), leave_shard(0)}};
  scenario.stages[1].until = is_reader_prepared;
  scenario.stages.push_back(leave_shard(bit(kReader)));
  scenario.stages.back().often.push_back(Kind::kFinishRead);
  return scenario;
}

bool are_joiners_in(const State& state) {
  return row(state, 2).installed == 2 && row(state, 3).installed == 2 &&
         row(state, 4).installed == 2;
}

bool have_two_acknowledged(const State& state) {
  return row(state, 0).acked == 2 && state.members[1].table[0].acked == 2 &&
         row(state, 1).acked == 2;
}

// Three take in two; node 1 acknowledged that and sees no more of it. Two members are a majority of
// the old view, the other three of the new one.
Scenario two_majorities() {
  Scenario scenario{"two-majorities", {}, {}};
  scenario.stages.push_back({.steps = 300,
                             .change = Change::kJoinAll,
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kCommit, Kind::kSend},
                             .until = have_two_acknowledged});
  scenario.stages.push_back({.steps = 400,
                             .change = Change::kJoinAll,
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kInstall, Kind::kSend},
                             .until = [](const State& state) {
                               return row(state, 0).installed == 2 && row(state, 1).prepared == 2;
                             }});
  scenario.stages.push_back({.steps = 400,
                             .lazy = bit(1),
                             .never = {Kind::kTick, Kind::kSuspect, Kind::kSend, Kind::kPropose},
                             .until = are_joiners_in});
  scenario.stages.push_back({.steps = 900,
                             .side = kRest,
                             .lazy = kRest,
                             .often = {Kind::kHeartbeat, Kind::kFinishRead, Kind::kSend}});
  return scenario;
}

}  // namespace

// Everyone echoes everyone.
Stage warm_up() {
  return {.steps = 120, .never = {Kind::kTick, Kind::kSuspect, Kind::kPropose, Kind::kSend}};
}

// The others go on, the readers hear nothing and read.
Stage go_on_without(Mask readers) {
  return {.steps = 400,
          .side = readers,
          .lazy = readers,
          .never = {Kind::kTick, Kind::kHeartbeat},
          .often = {Kind::kFinishRead, Kind::kSend}};
}

Stage suspect_reader() {
  return {.steps = 200,
          .suspects = bit(kReader),
          .lazy = bit(kReader),
          .never = {Kind::kTick, Kind::kPropose, Kind::kHeartbeat},
          .until = is_reader_suspected};
}

// The reader learns that it is suspected and says so; the others take it at its word.
std::vector<Stage> waived_by_reader() {
  const Stage waive = {.steps = 300,
                       .never = {Kind::kTick, Kind::kPropose, Kind::kNewAttempt},
                       .often = {Kind::kDropLease},
                       .until = is_reader_released};
  return {warm_up(), suspect_reader(), waive};
}

std::vector<Scenario> lease_scenarios() {
  return {cut_off_reader(),   echo_after_suspicion(), waived_lease(),
          removed_reader(),   suspected_survivor(),   waived_then_new_attempt(),
          leaver_suspected(), leaver_prepared(),      two_majorities()};
}

}  // namespace freshet::model
