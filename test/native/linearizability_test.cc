// The checker of registers: histories from the literature, and drawn ones whose order is known.
#include "test/native/support/linearizability.h"

#include <algorithm>

#include "native/io/seeded_random.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

using Kind = RegisterOperation::Kind;

bool holds(const std::vector<RegisterOperation>& history) {
  return check_register(history, 0) == Linearizability::kYes;
}

RegisterOperation write(uint64_t value, Nanos from, Nanos to) {
  return {Kind::kWrite, value, 0, from, to};
}
RegisterOperation read(uint64_t value, Nanos from, Nanos to) {
  return {Kind::kRead, value, 0, from, to};
}

TEST(a_read_gives_what_was_written_before_it) {
  EXPECT(holds({write(1, 0, 1), read(1, 2, 3)}));
  EXPECT(!holds({write(1, 0, 1), read(0, 2, 3)}));
  EXPECT(holds({write(1, 0, 4), read(0, 1, 2), read(1, 2, 3)}));
}

TEST(two_reads_do_not_see_two_orders) {
  const auto first = write(1, 0, 10);
  const auto second = write(2, 0, 10);
  EXPECT(holds({first, second, read(1, 1, 2), read(2, 3, 4)}));
  EXPECT(holds({first, second, read(2, 1, 2), read(1, 3, 4)}));
  EXPECT(!holds({first, second, read(1, 1, 2), read(2, 3, 4), read(1, 5, 6)}));
}

TEST(what_never_returned_may_take_effect_late_or_never) {
  const auto lost = write(1, 0, kNeverReturned);
  EXPECT(holds({lost, read(0, 1, 2), read(0, 3, 4)}));
  EXPECT(holds({lost, read(0, 1, 2), read(1, 3, 4)}));
  EXPECT(!holds({lost, read(1, 1, 2), read(0, 3, 4)}));
}

TEST(swaps_meet_what_they_expect) {
  const RegisterOperation swap{Kind::kSwap, 2, 1, 2, 3};
  EXPECT(holds({write(1, 0, 1), swap, read(2, 4, 5)}));
  EXPECT(!holds({write(3, 0, 1), swap}));
  const RegisterOperation failed{Kind::kSwapFail, 2, 1, 2, 3};
  EXPECT(!holds({write(1, 0, 1), failed}));
  EXPECT(holds({write(1, 0, 1), write(3, 0, kNeverReturned), failed}));
}

// In which of their many orders they took effect matters to nobody.
TEST(lost_writes_that_nobody_saw_take_no_time_beside_a_swap_that_failed) {
  std::vector<RegisterOperation> history;
  for (uint64_t value = 10; value < 50; value++) history.push_back(write(value, 0, kNeverReturned));
  history.push_back(read(0, 1, 2));
  history.push_back({Kind::kSwapFail, 2, 1, 3, 4});
  EXPECT(check_register(history, 0, 1000) == Linearizability::kYes);
}

// Operations that take effect at a drawn moment between call and return.
std::vector<RegisterOperation> drawn(SeededRandom& random, size_t count) {
  struct Effect {
    Nanos at;
    size_t operation;
  };
  std::vector<RegisterOperation> history;
  std::vector<Effect> effects;
  for (size_t i = 0; i < count; i++) {
    const Nanos invoked = static_cast<Nanos>(10 * i) + random.between(0, 60);
    const Nanos at = invoked + random.between(0, 80);
    const bool writes = random.chance(40);
    history.push_back({writes ? Kind::kWrite : Kind::kRead, writes ? i + 1 : 0, 0, invoked,
                       at + random.between(0, 80)});
    effects.push_back({at, i});
  }
  std::ranges::sort(effects, {}, &Effect::at);
  uint64_t value = 0;
  for (const Effect& effect : effects) {
    RegisterOperation& operation = history[effect.operation];
    if (operation.kind == Kind::kWrite) value = operation.value;
    operation.value = value;
    if (operation.kind == Kind::kWrite && random.chance(10)) operation.returned = kNeverReturned;
  }
  return history;
}

TEST(drawn_histories_hold_and_spoiled_ones_do_not) {
  SeededRandom random(seed(1));
  for (int round = 0; round < 200; round++) {
    std::vector<RegisterOperation> history = drawn(random, 300);
    EXPECT(holds(history));
    // One that reads what was written long after it.
    for (size_t i = 0; i < 100; i++) {
      if (history[i].kind != Kind::kRead) continue;
      const auto late = std::ranges::find_if(history, [&](const RegisterOperation& other) {
        return other.kind == Kind::kWrite && other.invoked > history[i].returned;
      });
      history[i].value = late->value;
      break;
    }
    EXPECT(!holds(history));
  }
}

}  // namespace
}  // namespace freshet::test
