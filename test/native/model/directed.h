// Scenarios that lead a walk towards what one rule prevents: what random stages would find too
// late.
#ifndef FRESHET_TEST_NATIVE_MODEL_DIRECTED_H_
#define FRESHET_TEST_NATIVE_MODEL_DIRECTED_H_

#include <optional>
#include <string_view>
#include <vector>

#include "test/native/model/scenario.h"

namespace freshet::model {

std::optional<Scenario> directed_scenario(std::string_view name);
std::vector<std::string_view> directed_names();
std::string_view directed_for(Rule rule);

// By what they break: reads under leases, committed views, histories after a restart.
std::vector<Scenario> lease_scenarios();
std::vector<Scenario> gate_scenarios();
std::vector<Scenario> takeover_scenarios();
std::vector<Scenario> drop_scenarios();
std::vector<Scenario> epoch_end_scenarios();
std::vector<Scenario> restart_scenarios();
std::vector<Scenario> adoption_scenarios();

// Node 2 reads under a lease.
Stage warm_up();
Stage go_on_without(Mask readers);
Stage suspect_reader();
std::vector<Stage> waived_by_reader();
// All stop; `who` start and come back to one another, or not at all.
Stage come_back(Mask who, int steps, bool (*until)(const State&) = nullptr);
// Of four, node 0 alone prepares that 4 joins.
Stage alone_with_a_record();

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_DIRECTED_H_
