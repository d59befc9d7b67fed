// Sessions as part of a store: what is applied once, and how a filled member comes to know.
#include <cstring>
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

// Who fills a store from one after the other, a message at a time.
class Filler {
 public:
  explicit Filler(Store& to) : to_(to) {}

  // False: nothing follows.
  bool take(Store& from, size_t size_max) {
    std::vector<std::byte> bytes(size_max);
    const Status status = from.read_log(after_, bytes, used_, after_, &sessions_);
    EXPECT(is_ok(status));
    for (size_t at = 0; at < used_; at += RecordView(bytes.data() + at).size())
      EXPECT(is_ok(to_.restore(RecordView(bytes.data() + at), std::nullopt)));
    return is_ok(status) && used_ > 0;
  }
  void take_all(Store& from, size_t size_max) {
    while (take(from, size_max)) taken++;
    EXPECT(to_.last_position() == from.last_position());
  }
  // Another donor: it is asked for all that is not here.
  void begin_anew() {
    after_ = to_.last_position();
    sessions_ = {};
  }
  bool is_amid() const { return to_.last_position() != sessions_.position; }

  int taken = 0;

 private:
  Store& to_;
  LogPosition after_;
  Store::SessionsRead sessions_;
  size_t used_ = 0;
};

constexpr size_t kSmallMessage = 40'000;  // the answers of one session fit

// `sessions` of them with `requests` each, all of one key.
void put_in_sessions(Feeder& feed, uint64_t sessions, uint64_t requests) {
  Change change = put_of(1, "/k", "v");
  for (uint64_t session = 1; session <= sessions; session++) {
    for (uint64_t request = 1; request <= requests; request++) {
      change.session = {session, request, 1};
      (void)feed.apply(change);
    }
  }
}

// Whatever is asked again is answered alike, and not applied.
void expect_alike(Store& a, Store& b, Feeder& feed, uint64_t sessions, uint64_t requests) {
  Feeder other(b);
  other.sequence = feed.sequence;
  const Version newest = a.newest_version();
  EXPECT_EQ(b.newest_version(), newest);
  for (uint64_t session = 1; session <= sessions; session++) {
    Change change = put_of(1, "/k", "again");
    change.session = {session, 1 + session % requests, 1};
    const Applied here = feed.apply(change);
    const Applied there = other.apply(change);
    EXPECT_EQ(here.version, there.version);
    EXPECT(here.status == there.status);
  }
  EXPECT_EQ(a.newest_version(), newest);
  EXPECT_EQ(b.newest_version(), newest);
}

TEST(sessions_beyond_a_message_come_in_pieces_before_the_last_record) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  constexpr uint64_t kSessions = 2400;
  put_in_sessions(feed, kSessions, kSessionWindow);  // 75 MiB
  Store copy({.shard = 1});
  Filler filler(copy);
  filler.take_all(store, kCopySlice);
  EXPECT(filler.taken > 256);
  expect_alike(store, copy, feed, kSessions, kSessionWindow);
}

TEST(the_largest_last_record_and_many_sessions_fit) {
  Store store({.shard = 1, .memory_max = size_t{1} << 30});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  put_in_sessions(feed, 500, 1);
  const std::string key(kKeySizeMax, 'k');
  const std::string meta(kMetaSizeMax, 'm');
  const std::string value(kWholeRecordMax - kRecordHeadMax, 'v');
  Change change = put_of(1, key, value);
  change.meta = bytes_of(meta);
  change.session = {501, 1, 1};
  change.condition.version_of_key = 0;
  EXPECT(is_ok(feed.apply(change).status));
  Store copy({.shard = 1, .memory_max = size_t{1} << 30});
  Filler filler(copy);
  filler.take_all(store, padded(kWholeRecordMax) + kSessionsSizeMin);
  EXPECT_EQ(filler.taken, 3);  // the rest; the sessions; the last record and their end
  expect_alike(store, copy, feed, 500, 1);
}

// The last record of `from`, in pieces.
void take_pieces(Store& from, LogPosition after, Store& to) {
  std::vector<std::byte> piece(size_t{8} << 20);
  size_t used = 0;
  EXPECT(is_ok(from.read_piece(after, 0, piece, used)));
  const RecordHeader header = RecordView(piece.data()).header();
  const LogPosition before{header.epoch, header.sequence - 1};
  const MutableBytes room = to.reserve_restored(header.length);
  for (uint64_t at = 0; used > 0;) {
    std::memcpy(room.data() + at, piece.data(), used);
    at += used;
    EXPECT(is_ok(from.read_piece(before, at, piece, used)));
  }
  EXPECT(is_ok(to.restore_reserved()));
}

TEST(sessions_come_before_a_last_record_that_comes_in_pieces_and_are_taken_with_it) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1);
  put_in_sessions(feed, 500, 1);
  Change change = put_of(1, "/long", "");
  const std::string value(kWholeRecordMax, 'v');
  change.value = bytes_of(value);
  change.session = {501, 1, 1};
  EXPECT(is_ok(feed.apply(change).status));
  Store copy({.shard = 1});
  std::vector<std::byte> buffer(size_t{1} << 20);
  size_t used = 0;
  LogPosition last;
  Store::SessionsRead sessions;
  Status status = Status::kOk;
  while (is_ok(status = store.read_log(last, buffer, used, last, &sessions))) {
    for (size_t at = 0; at < used; at += RecordView(buffer.data() + at).size())
      EXPECT(is_ok(copy.restore(RecordView(buffer.data() + at), std::nullopt)));
  }
  EXPECT(status == Status::kOverloaded);
  EXPECT(copy.last_position() < store.last_position());
  take_pieces(store, last, copy);
  EXPECT(copy.last_position() == store.last_position());
  expect_alike(store, copy, feed, 500, 1);
}

TEST(sessions_belong_to_one_position_wherever_the_donor_goes) {
  for (const bool is_refused : {false, true}) {
    Store store({.shard = 1});
    Feeder feed(store);
    (void)feed.pool(1, 1);
    put_in_sessions(feed, 20, 300);
    Store copy({.shard = 1});
    Filler filler(copy);
    for (uint64_t request = 301; request < 310; request++) {
      while (filler.take(store, kSmallMessage) && !filler.is_amid()) {
      }
      EXPECT(filler.is_amid());
      EXPECT(filler.take(store, kSmallMessage));
      EXPECT(filler.is_amid());
      Change change = put_of(1, "/k", "more");
      change.session = {1 + request % 3, request, request % 2 == 0 ? request : 1};
      if (is_refused) change.condition.version_of_key = 0;
      EXPECT_EQ(is_ok(feed.apply(change).status), !is_refused);
    }
    filler.take_all(store, kSmallMessage);
    expect_alike(store, copy, feed, 20, 300);
  }
}

TEST(pieces_of_a_donor_that_is_gone_do_no_harm) {
  Store first({.shard = 1});
  Store second({.shard = 1});
  Feeder feed(first);
  Feeder other(second);
  for (Feeder* each : {&feed, &other}) {
    (void)each->pool(1, 1);
    put_in_sessions(*each, 20, 300);
  }
  Store copy({.shard = 1});
  Filler filler(copy);
  for (int i = 0; i < 3; i++) EXPECT(filler.take(first, kSmallMessage));
  filler.begin_anew();
  filler.take_all(second, kSmallMessage);
  expect_alike(second, copy, other, 20, 300);
}

TEST(pieces_that_do_not_follow_one_another_are_not_taken) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  put_in_sessions(feed, 20, 300);
  std::vector<std::vector<std::byte>> pieces;
  LogPosition after;
  Store::SessionsRead read;
  for (;;) {
    std::vector<std::byte> bytes(kSmallMessage);
    size_t used = 0;
    EXPECT(is_ok(store.read_log(after, bytes, used, after, &read)));
    if (used == 0) break;
    bytes.resize(used);
    pieces.push_back(bytes);
  }
  EXPECT(pieces.size() > 3);
  const auto take = [](Store& to, const std::vector<std::byte>& piece) {
    return to.restore(RecordView(piece.data()), std::nullopt);
  };
  Store copy({.shard = 1});
  EXPECT(is_ok(take(copy, pieces[0])));  // the pool
  EXPECT(take(copy, pieces[2]) == Status::kInvalidArgument);
  EXPECT(is_ok(take(copy, pieces[1])));
  EXPECT(take(copy, pieces[3]) == Status::kLogCorrupt);
  EXPECT(copy.last_position() < store.last_position());
  EXPECT(take(copy, pieces[2]) == Status::kInvalidArgument);  // what was here is dropped
  EXPECT(is_ok(take(copy, pieces[1])));
  EXPECT(is_ok(take(copy, pieces[2])));
  EXPECT_EQ(copy.stats().sessions, uint64_t{0});
  // What follows in number, but of another position.
  read = {store.last_position(), 0};
  std::vector<std::byte> bytes(kSmallMessage);
  size_t used = 0;
  after = {feed.epoch, 0};
  EXPECT(is_ok(store.read_log(after, bytes, used, after, &read)));
  const uint64_t entries = 2 * read.entries;
  (void)feed.put("/k", "more");
  read = {store.last_position(), entries};
  EXPECT(is_ok(store.read_log(after, bytes, used, after, &read)));
  EXPECT(after < store.last_position());
  EXPECT(take(copy, bytes) == Status::kInvalidArgument);
}

TEST(a_session_that_came_back_after_it_was_forgotten_does_not_stop_who_is_filled) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  Change change = put_of(1, "/first", "v");
  change.session = {uint64_t{1} << 40, 1, 1};
  EXPECT_EQ(feed.apply(change).version, Version{1});
  put_in_sessions(feed, kSessionsMax + kEvictedSessionsMax + 1, 1);
  change.key = bytes_of("/second");
  EXPECT(feed.apply(change).version > Version{1});
  Store copy({.shard = 1});
  Filler filler(copy);
  filler.take_all(store, kCopySlice);
  EXPECT_EQ(copy.newest_version(), store.newest_version());
}

}  // namespace
}  // namespace freshet::test
