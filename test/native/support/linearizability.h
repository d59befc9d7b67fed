// Is a history of operations on one register linearizable? The algorithm is Wing and Gong's with
// Lowe's cache of configurations ("Testing for linearizability", 2017; Porcupine has it too):
// operations are taken in an order that time allows, one after the other, each where the register
// allows it, and what was tried before is not tried again.
//
// Values are numbers that no two writes share; 0: absent. Registers (keys) are independent of each
// other, so a history is checked key by key.
//
// Thread: one.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_LINEARIZABILITY_H_
#define FRESHET_TEST_NATIVE_SUPPORT_LINEARIZABILITY_H_

#include <cstdint>
#include <vector>

#include "native/core/types.h"

namespace freshet::test {

inline constexpr Nanos kNeverReturned = INT64_MAX;

struct RegisterOperation {
  enum class Kind : uint8_t {
    kRead,      // gave `value`
    kWrite,     // of `value`
    kSwap,      // of `value` in place of `expected`, which it met
    kSwapFail,  // did not meet `expected`
  } kind = Kind::kRead;
  uint64_t value = 0;
  uint64_t expected = 0;
  Nanos invoked = 0;
  Nanos returned = 0;  // kNeverReturned: it may have taken effect at any time after, or never
};

enum class Linearizability : uint8_t { kYes, kNo, kUnknown };

// `initial` is the register's value before. kUnknown: more than `steps_max` were tried.
Linearizability check_register(std::vector<RegisterOperation> history, uint64_t initial,
                               uint64_t steps_max = 20'000'000);

// The operations of a history that is not linearizable that had been invoked when the first answer
// came that cannot be, in the order of their invocations; those that had no answer yet have none.
std::vector<RegisterOperation> up_to_contradiction(std::vector<RegisterOperation> history,
                                                   uint64_t initial);

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_LINEARIZABILITY_H_
