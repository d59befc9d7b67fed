// What the rules of a pool allow in a shard, and what is left of one that was closed.
#include "native/core/store/store.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

TEST(what_a_pool_forbids_is_refused) {
  Store store({.shard = 1});
  Feeder feed(store);
  EXPECT(feed.put("/k", "v").status == Status::kUnknownPool);
  PoolRules rules;
  rules.pool = 1;
  rules.value_size_max = 4;
  EXPECT(is_ok(feed.rules(rules).status));
  EXPECT(is_ok(feed.put("/k", "four").status));
  EXPECT(feed.put("/k", "five5").status == Status::kValueTooLarge);
  EXPECT(feed.put("", "v").status == Status::kInvalidKey);
  EXPECT(feed.apply(put_of(2, "/k", "v")).status == Status::kUnknownPool);
  rules.trigger_only = 1;
  EXPECT(is_ok(feed.rules(rules).status));
  EXPECT(feed.put("/k", "v").status == Status::kInvalidArgument);
  EXPECT(is_ok(feed.trigger("/k", "v").status));
  rules.closed = 1;
  EXPECT(is_ok(feed.rules(rules).status));
  EXPECT(feed.trigger("/k", "v").status == Status::kUnknownPool);
  EXPECT_EQ(store.newest_version(), Version{2});
}

TEST(a_pool_that_was_closed_stays_so_and_what_it_has_left_may_go) {
  Store store({.shard = 1});
  Feeder feed(store);
  PoolRules rules;
  for (const PoolId pool : {PoolId{1}, PoolId{2}}) {
    rules.pool = pool;
    EXPECT(is_ok(feed.rules(rules).status));
  }
  for (const char* key : {"/a", "/b", "/c"}) EXPECT(is_ok(feed.put(key, "v").status));
  rules.pool = 1;
  rules.closed = 1;
  EXPECT(is_ok(feed.rules(rules).status));
  rules.closed = 0;
  EXPECT(is_ok(feed.rules(rules).status));  // of somebody who has not heard of it
  EXPECT(feed.put("/a", "v").status == Status::kUnknownPool);
  EXPECT(feed.remove("/d").status == Status::kUnknownPool);
  EXPECT(is_ok(feed.remove("/a").status));
  EXPECT(feed.remove("/a").status == Status::kUnknownPool);  // it may be in another pool by now
  // The next pool has it by now.
  EXPECT(is_ok(feed.apply(put_of(2, "/b", "v")).status));
  EXPECT(feed.remove("/b").status == Status::kUnknownPool);
  Change late = put_of(1, "/c", "");
  late.kind = RecordKind::kRemove;
  late.condition = {.version_of_key = 9};
  EXPECT(feed.apply(late).status == Status::kConditionFailed);
  late.condition = {.version_of_key = 3};
  EXPECT(is_ok(feed.apply(late).status));
}

// What is left over behind each is no use of another one's, wherever it lies.
TEST(the_cleaner_ends_where_records_fill_little_more_than_half_a_segment) {
  constexpr size_t kSegment = size_t{256} << 10;
  for (const size_t size : {kSegment / 2 + 1000, kSegment / 3 + 1000}) {
    Store store({.shard = 1, .memory_max = size_t{16} << 20, .segment_size = kSegment});
    Feeder feed(store);
    (void)feed.pool(1, 1);
    const std::string value(size, 'x');
    for (int i = 0; i < 200; i++) {
      EXPECT(is_ok(feed.put("/k" + std::to_string(i % 40), value).status));
      for (int pass = 0; pass < 1000 && store.maintain(256 << 10); pass++) {
      }
    }
    EXPECT(!store.maintain(256 << 10));
    EXPECT(store.stats().copied_bytes < 200 * size);
  }
}

TEST(a_full_store_takes_what_replaces_as_much) {
  Store store({.shard = 1, .memory_max = size_t{1} << 20, .segment_size = size_t{64} << 10});
  Feeder feed(store);
  (void)feed.pool(1, 3);
  const std::string value(1000, 'x');
  const auto key = [](int nth) { return "/k" + std::to_string(nth % 300); };
  int puts = 0;
  while (is_ok(feed.put(key(puts), value).status)) puts++;
  // The first keys have as many versions as are kept, that one has less.
  EXPECT(puts > 600 && puts < 900);
  EXPECT(feed.put(key(puts), value).status == Status::kOverloaded);
  EXPECT(feed.put("/new", value).status == Status::kOverloaded);
  EXPECT(feed.put(key(0), value + value + value).status == Status::kOverloaded);
  for (int i = 0; i < 3000; i++) EXPECT(is_ok(feed.put(key(i % 100), value).status));
  // Of a shorter history all others go with the next put.
  (void)feed.pool(1, 1);
  EXPECT(is_ok(feed.put(key(0), value + value + value).status));
  EXPECT(is_ok(feed.put(key(puts), value).status));
  EXPECT(is_ok(feed.put("/new", value).status));
}
