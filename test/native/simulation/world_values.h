// Values that clients put: all bytes follow from the token and the key under which they were put
// first, so who reads one can tell whether it is what was put.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_VALUES_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_VALUES_H_

#include <cstdint>
#include <vector>

#include "native/core/types.h"

namespace freshet::test {

// Short as a rule; now and then of more than a quarter of the smallest ring, and, rarer, too large
// to be copied on the way to the agent.
std::vector<std::byte> make_value(Token token, uint32_t key);

// Whether these are the bytes of some token for this key, and of which.
bool read_value(Bytes value, uint32_t key, Token& token);

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_VALUES_H_
