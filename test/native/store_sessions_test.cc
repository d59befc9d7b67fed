// Sessions as part of a store: what is applied once, and how a filled member comes to know.
#include <string>
#include <vector>

#include "native/core/store/store.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

TEST(a_retry_is_applied_once_and_a_refusal_is_remembered) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1);
  Change change = put_of(1, "/k", "v");
  change.session = {77, 1, 1};
  const Applied first = feed.apply(change);
  const Applied again = feed.apply(change);
  EXPECT_EQ(first.version, again.version);
  EXPECT_EQ(first.time, again.time);
  EXPECT_EQ(store.newest_version(), Version{1});
  change.session.request = 2;
  change.condition.version_of_key = 0;
  EXPECT(feed.apply(change).status == Status::kConditionFailed);
  (void)feed.remove("/k");  // now the condition would hold
  const Applied refused = feed.apply(change);
  EXPECT(refused.status == Status::kConditionFailed);
  EXPECT_EQ(refused.previous_version_of_key, Version{1});
}

TEST(a_retry_after_its_pool_was_made_is_applied) {
  Store store({.shard = 1});
  Feeder feed(store);
  Change change = put_of(1, "/k", "v");
  change.session = {77, 1, 1};
  EXPECT(feed.apply(change).status == Status::kUnknownPool);
  (void)feed.pool(1);
  EXPECT(is_ok(feed.apply(change).status));
  EXPECT_EQ(feed.apply(change).version, Version{1});
}

TEST(damaged_sessions_are_not_taken) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1);
  Change change = put_of(1, "/k", "v");
  change.session = {7, 1, 1};
  (void)feed.apply(change);
  std::vector<std::byte> buffer(4096);
  size_t used = 0;
  LogPosition last;
  EXPECT(is_ok(store.read_log({}, buffer, used, last)));
  Store copy({.shard = 1});
  int taken = 0;
  for (size_t at = 0; at < used; at += RecordView(buffer.data() + at).size(), taken++) {
    const RecordView record(buffer.data() + at);
    if (record.key() == "sessions") {
      std::vector<std::byte> spoilt(record.start(), record.start() + record.size());
      spoilt[record.header().length - 1] ^= std::byte{1};
      EXPECT(copy.restore(RecordView(spoilt.data()), std::nullopt) == Status::kLogCorrupt);
    }
    EXPECT(is_ok(copy.restore(record, std::nullopt)));
  }
  EXPECT_EQ(taken, 3);  // the pool, the put, the sessions
  Feeder other(copy);
  other.sequence = feed.sequence;
  EXPECT_EQ(other.apply(change).version, Version{1});
  EXPECT_EQ(copy.newest_version(), Version{1});
}

TEST(who_is_filled_stands_where_its_donor_stands) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1);
  const auto fill = [&](Store& copy) {
    std::vector<std::byte> buffer(4096);
    size_t used = 0;
    LogPosition last;
    EXPECT(is_ok(store.read_log({}, buffer, used, last)));
    for (size_t at = 0; at < used; at += RecordView(buffer.data() + at).size())
      EXPECT(is_ok(copy.restore(RecordView(buffer.data() + at), std::nullopt)));
    EXPECT(last == store.last_position());
    EXPECT(copy.last_position() == store.last_position());
    EXPECT(is_ok(store.read_log(last, buffer, used, last)));
    EXPECT_EQ(used, size_t{0});
  };
  Store first({.shard = 1});
  fill(first);  // no version, but the pool
  Feeder other(first);
  other.sequence = feed.sequence;
  EXPECT_EQ(other.put("/k", "v").version, Version{1});

  // What comes last leaves nothing that is retained.
  (void)feed.put("/k", "v");
  Change refused = put_of(1, "/k", "w");
  refused.condition.version_of_key = 0;
  EXPECT(feed.apply(refused).status == Status::kConditionFailed);
  Store second({.shard = 1});
  fill(second);
}

}  // namespace
}  // namespace freshet::test
