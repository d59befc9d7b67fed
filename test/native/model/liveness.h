// Invariant 8, bounded: when faults stop, does everything come to rest, and with the right result?
#ifndef FRESHET_TEST_NATIVE_MODEL_LIVENESS_H_
#define FRESHET_TEST_NATIVE_MODEL_LIVENESS_H_

#include <functional>
#include <string>

#include "test/native/model/model.h"

namespace freshet::model {

using Act = std::function<bool(const Action&)>;

// Takes every step that can be taken, in turn, without faults; false when what is left alive may
// not go on (no majority, no member of the shard). What should have come about and has not is named
// in `violation`.
bool settle(const Model& model, const Act& act, std::string& violation);

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_LIVENESS_H_
