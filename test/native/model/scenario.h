// What the world does to the members during a walk, stage by stage: which links are cut, who is
// paused, who crashes or starts. Within a stage the walk picks at random among what can happen.
#ifndef FRESHET_TEST_NATIVE_MODEL_SCENARIO_H_
#define FRESHET_TEST_NATIVE_MODEL_SCENARIO_H_

#include <optional>
#include <string_view>
#include <vector>

#include "native/io/seeded_random.h"
#include "test/native/model/action.h"
#include "test/native/model/model.h"
#include "test/native/model/rules.h"

namespace freshet::model {

struct Stage {
  int steps = 60;     // at most
  Mask side = 0;      // cut off from the others, both ways
  Mask mute = 0;      // nothing they write arrives
  Mask deaf = 0;      // nothing arrives there
  Mask frozen = 0;    // paused
  Mask suspects = 0;  // may be suspected though they are well
  Mask lazy = 0;      // takes no step of a view change
  Mask crash = 0;     // at the beginning
  Mask boot = 0;      // at the beginning, of those down
  Mask leaders = 0;   // only they propose; 0: all
  Change change = Change::kNone;
  Byte which = 0;
  bool is_free = false;                         // any change may be proposed
  std::vector<Kind> never = {};                 // kinds that do not happen
  std::vector<Kind> often = {};                 // kinds tried more often
  bool (*until)(const State& state) = nullptr;  // ends the stage
};

struct Scenario {
  std::string_view name;
  Setup setup;
  std::vector<Stage> stages;
};

// The scenario for a rule's canary.
std::string_view scenario_for(Rule rule);
// "any", "takeover" and "restarts" are drawn from the seed, the others are directed.
std::optional<Scenario> scenario_named(std::string_view name, uint64_t seed);
const std::vector<std::string_view>& scenario_names();

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_SCENARIO_H_
