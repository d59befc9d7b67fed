// A random walk through the model under a scenario, and what came of it. The same rules, scenario
// and seed give the same actions.
#ifndef FRESHET_TEST_NATIVE_MODEL_WALK_H_
#define FRESHET_TEST_NATIVE_MODEL_WALK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "test/native/model/model.h"
#include "test/native/model/scenario.h"

namespace freshet::model {

struct Outcome {
  std::string violation;  // empty when there is none
  std::vector<Action> trace;
  uint64_t trace_hash = 0;
  bool is_settled = false;  // liveness could be asked, and held
};

class Walk {
 public:
  Walk(const RuleSet& rules, const Scenario& scenario, uint64_t seed);

  // All stages, then, if asked and nothing is violated, whether all comes to rest without faults.
  Outcome run(bool is_settling);
  // The stages alone; for a search from where they end.
  void run_stages();
  const Model& model() const { return model_; }
  const std::vector<Action>& trace() const { return outcome_.trace; }

 private:
  void run_stage(const Stage& stage);
  bool do_action(const Action& action);
  void strike(const Stage& stage);
  void set_weights(const Stage& stage);
  Kind pick_kind();
  bool is_allowed(const Stage& stage, const Action& action) const;
  Action pick(const Stage& stage);
  Mask pick_present(const Stage& stage, int node);

  const Scenario& scenario_;
  SeededRandom random_;
  Model model_;
  std::vector<Kind> lots_;
  Outcome outcome_;
};

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_WALK_H_
