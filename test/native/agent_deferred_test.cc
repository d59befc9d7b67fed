// A store that is short of memory while somebody reads.
#include <string>

#include "test/native/support/lone_agent.h"

using namespace freshet;
using namespace freshet::test;

TEST(a_submission_that_waits_for_memory_which_readers_had_goes_on_once_they_have_left) {
  LoneAgent lone({.shard = 1, .memory_max = size_t{1} << 20, .segment_size = size_t{64} << 10});
  const std::string value(8'000, 'v');
  Store::Reader reader(*lone.store);
  reader.enter();
  while (is_ok(lone.store->admission())) EXPECT(lone.ended(lone.put(value), 100) == Status::kOk);
  const Token last = lone.put(value);
  EXPECT(lone.ended(last, 1000) == std::nullopt);
  reader.leave();
  // Nothing else happens, and its patience is much longer than that.
  EXPECT(lone.ended(last, 1000) == Status::kOk);
}
