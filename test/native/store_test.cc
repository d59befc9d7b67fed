// The versioned store against a naive model, and each of its rules.
#include "native/core/store/store.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;
using Kind = ReadPoint::Kind;

namespace {

constexpr size_t kSmallSegment = size_t{64} << 10;

struct ModelVersion {
  Version version;
  Micros time;
  bool removed;
  std::string value;
};

struct Model {
  std::map<std::string, std::vector<ModelVersion>> keys;
  std::vector<Micros> times{0};  // by version
};

std::string value_of(const Found& found) {
  return std::string(text_of(RecordView(found.record).value()));
}

// What the model says of a key at a point; `kept` newest versions are readable.
void expect_read(const Store& store, const Model& model, const std::string& key, ReadPoint point,
                 size_t kept) {
  const Found found = store.get(key, point);
  const auto at = model.keys.find(key);
  const ModelVersion* expected = nullptr;
  size_t index = 0;
  if (at != model.keys.end()) {
    for (size_t i = 0; i < at->second.size(); i++) {
      const ModelVersion& version = at->second[i];
      if (version.version > point.newest_max) break;
      if (point.kind == Kind::kAtVersion && version.version > point.value) break;
      if (point.kind == Kind::kAtTime && version.time > static_cast<Micros>(point.value)) break;
      if (point.kind == Kind::kExactVersion && version.version != point.value) continue;
      expected = &version;
      index = i;
    }
  }
  if (expected == nullptr) {
    // Below what is kept it may be unknown whether an exact version was one of the key's.
    if (point.kind == Kind::kExactVersion && at != model.keys.end() && at->second.size() > kept &&
        point.value < at->second[at->second.size() - kept].version &&
        found.status == Status::kCompacted)
      return;
    EXPECT_EQ(status_name(found.status), status_name(Status::kNotFound));
    return;
  }
  if (index + kept < at->second.size()) {
    EXPECT_EQ(status_name(found.status), status_name(Status::kCompacted));
    return;
  }
  EXPECT_EQ(status_name(found.status), status_name(Status::kOk));
  if (!is_ok(found.status)) return;
  EXPECT_EQ(found.version, expected->version);
  EXPECT_EQ(found.time, expected->time);
  EXPECT_EQ(found.removed, expected->removed);
  EXPECT(value_of(found) == expected->value);
  EXPECT_EQ(found.previous_version_of_key, index == 0 ? 0 : at->second[index - 1].version);
}

void run_model(bool persistent, uint32_t history, uint64_t seed) {
  std::mt19937_64 random(seed);
  Store store({.shard = 1,
               .persistent = persistent,
               .memory_max = size_t{64} << 20,
               .segment_size = kSmallSegment});
  Feeder feed(store);
  EXPECT(is_ok(feed.pool(1, history).status));
  Model model;
  const size_t kept = persistent || history == 0 ? SIZE_MAX / 2 : history;
  for (int step = 0; step < 20'000; step++) {
    const std::string key = "/pool/" + std::to_string(random() % 200);
    const uint64_t what = random() % 10;
    if (what < 6) {
      std::string value(random() % 300, static_cast<char>('a' + random() % 26));
      const Micros stamp = static_cast<Micros>(random() % 1000) + step * 3;
      const Applied applied = what == 0 ? feed.remove(key) : feed.put(key, value, stamp);
      if (what == 0) value.clear();
      EXPECT(is_ok(applied.status));
      EXPECT_EQ(applied.version, model.times.size());
      EXPECT(applied.time > model.times.back());
      if (what != 0) EXPECT_EQ(applied.time, std::max(model.times.back() + 1, stamp));
      auto& versions = model.keys[key];
      EXPECT_EQ(applied.previous_version_of_key, versions.empty() ? 0 : versions.back().version);
      versions.push_back({applied.version, applied.time, what == 0, value});
      model.times.push_back(applied.time);
    } else if (what == 6) {
      (void)store.maintain(random() % 20'000);
    } else {
      const Kind kinds[] = {Kind::kNewest, Kind::kAtVersion, Kind::kExactVersion, Kind::kAtTime};
      ReadPoint point{kinds[random() % 4], random() % (model.times.size() + 3)};
      if (point.kind == Kind::kAtTime)
        point.value =
            static_cast<uint64_t>(model.times[random() % model.times.size()]) + random() % 3;
      if (random() % 4 == 0) point.newest_max = random() % (model.times.size() + 1);
      expect_read(store, model, key, point, kept);
      if (random() % 4 == 0 && !model.keys.empty()) {
        const auto& versions = model.keys.begin()->second;
        point = {Kind::kExactVersion, versions[random() % versions.size()].version};
        expect_read(store, model, model.keys.begin()->first, point, kept);
      }
    }
  }
  std::vector<std::string_view> listed;
  EXPECT(!store.list("/pool/1", "", {}, 1000, listed));
  std::vector<std::string> expected;
  for (const auto& [key, versions] : model.keys) {
    if (key.starts_with("/pool/1") && !versions.back().removed) expected.push_back(key);
  }
  EXPECT_EQ(listed.size(), expected.size());
  EXPECT(std::equal(listed.begin(), listed.end(), expected.begin(), expected.end()));
  // In pages, the same.
  std::vector<std::string_view> paged;
  while (store.list("/pool/1", paged.empty() ? "" : paged.back(), {}, 7, paged)) {
  }
  EXPECT(paged == listed);
  for (Version version = 1; persistent && version < model.times.size(); version += 13) {
    EXPECT_EQ(store.version_at_time(model.times[version]), version);
    EXPECT_EQ(store.version_at_time(model.times[version] - 1),
              model.times[version] - 1 == model.times[version - 1] && version > 1 ? version - 1
              : version == 1                                                      ? 0
                                                                                  : version - 1);
  }
  if (!persistent && history != 0) EXPECT(store.stats().copied_bytes > 0);
}

}  // namespace

TEST(a_volatile_store_matches_the_model) { run_model(false, 5, seed(1)); }
TEST(a_volatile_store_with_one_version_matches_the_model) { run_model(false, 1, seed(2)); }
TEST(a_volatile_store_with_all_history_matches_the_model) { run_model(false, 0, seed(3)); }
TEST(a_persistent_store_matches_the_model) { run_model(true, 5, seed(4)); }

TEST(an_empty_value_is_a_value_and_a_remove_is_a_version) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1);
  (void)feed.put("/k", "");
  Found found = store.get("/k", {});
  EXPECT(is_ok(found.status) && !found.removed && found.value_size == 0);
  EXPECT_EQ(feed.remove("/k").version, Version{2});
  found = store.get("/k", {});
  EXPECT(is_ok(found.status) && found.removed);
  found = store.get("/k", {Kind::kAtVersion, 1});
  EXPECT(is_ok(found.status) && !found.removed);
  std::vector<std::string_view> keys;
  EXPECT(!store.list("/", "", {}, 10, keys));
  EXPECT_EQ(keys.size(), size_t{0});
  EXPECT(!store.list("/", "", {Kind::kAtVersion, 1}, 10, keys));
  EXPECT_EQ(keys.size(), size_t{1});
}

TEST(conditions_are_judged_where_they_are_applied) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1);
  (void)feed.put("/a", "1");
  (void)feed.put("/b", "2");
  const auto with = [](std::string_view key, Condition condition) {
    Change change = put_of(1, key, "x");
    change.condition = condition;
    return change;
  };
  const Applied stale = feed.apply(with("/a", {.version_of_key = 9}));
  EXPECT(stale.status == Status::kConditionFailed);
  EXPECT_EQ(stale.previous_version_of_key, Version{1});
  EXPECT(feed.apply(with("/a", {.version_of_key = 0})).status == Status::kConditionFailed);
  EXPECT(is_ok(feed.apply(with("/c", {.version_of_key = 0})).status));
  EXPECT(is_ok(feed.apply(with("/a", {.version_of_key = 1})).status));
  EXPECT(feed.apply(with("/a", {.version = 3})).status == Status::kConditionFailed);
  EXPECT(is_ok(feed.apply(with("/a", {.version = 4})).status));
  (void)feed.remove("/a");
  EXPECT(is_ok(feed.apply(with("/a", {.version_of_key = 0})).status));
  feed.epoch = 2;
  EXPECT(feed.apply(with("/a", {.version_of_key = 7, .epoch = 2})).status ==
         Status::kConditionFailed);
  EXPECT(is_ok(feed.apply(with("/a", {.version_of_key = 7, .epoch = 1})).status));
  EXPECT(is_ok(feed.apply(with("/a", {.version_of_key = 8, .epoch = 2})).status));
}

TEST(triggers_take_versions_and_are_released) {
  for (const bool persistent : {false, true}) {
    Store store({.shard = 1, .persistent = persistent});
    Feeder feed(store);
    (void)feed.pool(1, 2);
    EXPECT_EQ(feed.trigger("/k", "t").version, Version{1});
    EXPECT(store.get("/k", {}).status == Status::kNotFound);
    EXPECT(value_of(store.get_version(1)) == "t");
    store.release_up_to(1);
    (void)store.maintain(1000);
    EXPECT(store.get_version(1).status == Status::kCompacted);
    // A consumer that is behind still finds what history let go.
    for (int i = 0; i < 5; i++) (void)feed.put("/k", std::to_string(i));
    EXPECT(value_of(store.get_version(2)) == "0");
    EXPECT(store.get("/k", {Kind::kAtVersion, 2}).status ==
           (persistent ? Status::kOk : Status::kCompacted));
    store.release_up_to(6);
    (void)store.maintain(1000);
    EXPECT(store.get_version(2).status == (persistent ? Status::kOk : Status::kCompacted));
    EXPECT(value_of(store.get_version(6)) == "4");
  }
}

TEST(a_floor_bounds_later_times) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1);
  (void)feed.put("/k", "v", 100);
  Micros floor = 5000;
  Change change = put_of(0, "floor", "");
  change.kind = RecordKind::kControl;
  change.value = std::as_bytes(std::span(&floor, 1));
  EXPECT_EQ(feed.apply(change).version, Version{0});
  EXPECT_EQ(feed.put("/k", "w", 200).time, Micros{5001});
  // Beyond any time that records could still be given.
  for (const Micros wrong : {INT64_MAX, INT64_MIN, Micros{-1}, (Micros{1} << 53) - 1}) {
    floor = wrong;
    EXPECT(feed.apply(change).status == Status::kInvalidArgument);
  }
  EXPECT_EQ(feed.put("/k", "x", 200).time, Micros{5002});
}

TEST(reads_at_an_event_time_go_by_event_time) {
  Store store({.shard = 1});
  Feeder feed(store);
  PoolRules rules;
  rules.pool = 1;
  rules.event_axis = 1;
  (void)feed.rules(rules);
  for (const Micros event : {300, 100, 200}) {
    const std::string value = std::to_string(event);
    Change change = put_of(1, "/k", value);
    change.event_time = event;
    change.stamp = 1000;
    (void)feed.apply(change);
  }
  EXPECT(value_of(store.get("/k", {Kind::kAtTime, 250})) == "200");
  EXPECT(value_of(store.get("/k", {Kind::kAtTime, 150})) == "100");
  EXPECT(value_of(store.get("/k", {Kind::kAtTime, 999})) == "300");
  EXPECT(store.get("/k", {Kind::kAtTime, 99}).status == Status::kNotFound);
}

TEST(a_full_volatile_store_refuses_puts_alike_everywhere_and_answers_reads) {
  const auto fill = [](size_t maintain) {
    Store store({.shard = 1, .memory_max = size_t{1} << 20, .segment_size = kSmallSegment});
    Feeder feed(store);
    (void)feed.pool(1, 1);
    std::vector<Version> answers;
    for (int i = 0; i < 3000; i++) {
      const Applied applied = feed.put("/k" + std::to_string(i), std::string(1000, 'x'));
      answers.push_back(is_ok(applied.status) ? applied.version : 0);
      if (maintain > 0) (void)store.maintain(maintain);
    }
    EXPECT(answers.back() == 0);
    EXPECT(is_ok(store.get("/k5", {}).status));
    // Writing over what is there, removing, and then writing again go on.
    for (int i = 0; i < 600; i++) EXPECT(is_ok(feed.remove("/k" + std::to_string(i)).status));
    for (int i = 0; i < 100; i++) EXPECT(is_ok(feed.put("/n" + std::to_string(i), "y").status));
    while (store.maintain(1 << 20)) {
    }
    EXPECT(store.stats().resident_bytes <= (size_t{1} << 20) + 2 * kSmallSegment);
    answers.push_back(store.digest());
    return answers;
  };
  EXPECT(fill(0) == fill(50'000));
}

TEST(the_log_read_back_restores_an_equal_store) {
  for (const bool persistent : {false, true}) {
    Store store({.shard = 1, .persistent = persistent, .segment_size = kSmallSegment});
    Feeder feed(store);
    (void)feed.pool(1, 3);
    LogBatch batch;
    for (int i = 0; i < 5000; i++) {
      const std::string key = "/k" + std::to_string(i % 700);
      const std::string value = std::to_string(i);
      Change change = put_of(1, key, value);
      if (i % 3 == 0) change.session = {uint64_t(1 + i % 5), uint64_t(i), 1};
      if (i % 9 == 0) change.condition.version_of_key = 1;
      (void)feed.apply(change);
      if (i % 50 == 0) {
        while (store.close_batch(feed.sequence - 1, batch)) store.on_batch_synced(batch);
      }
    }
    Store copy({.shard = 1, .persistent = persistent, .segment_size = kSmallSegment});
    std::vector<std::byte> buffer(10'000);
    LogPosition after;
    for (;;) {
      size_t used = 0;
      LogPosition last;
      const Status status = store.read_log(after, buffer, used, last);
      if (status == Status::kOverloaded) {  // one record is larger: the sessions
        buffer.resize(2 * buffer.size());
        continue;
      }
      EXPECT(is_ok(status));
      if (used == 0) break;
      for (size_t at = 0; at < used;) {
        const RecordView record(buffer.data() + at);
        EXPECT(is_ok(copy.restore(record, std::nullopt)));
        at += record.size();
      }
      after = last;
    }
    EXPECT_EQ(copy.newest_version(), store.newest_version());
    if (persistent) EXPECT_EQ(copy.digest(), store.digest());
    for (int i = 0; i < 700; i++) {
      const std::string key = "/k" + std::to_string(i);
      EXPECT_EQ(copy.get(key, {}).version, store.get(key, {}).version);
      EXPECT(value_of(copy.get(key, {})) == value_of(store.get(key, {})));
    }
    // Of a volatile store the change itself, and what refusals were answered, is long gone.
    for (const uint64_t request : {3u, 9u, 4500u, 4998u}) {
      Change change = put_of(1, "/k9", "again");
      change.session = {1 + request % 5, request, 1};
      Feeder other(copy);
      other.sequence = feed.sequence;
      const Applied here = feed.apply(change);
      const Applied there = other.apply(change);
      EXPECT_EQ(there.version, here.version);
      EXPECT(there.status == here.status);
    }
    EXPECT_EQ(copy.newest_version(), store.newest_version());
  }
}

TEST(cutting_back_gives_the_state_of_that_time) {
  Store store({.shard = 1, .persistent = true, .segment_size = kSmallSegment});
  Store early({.shard = 1, .persistent = true, .segment_size = kSmallSegment});
  Feeder feed(store);
  Feeder feed_early(early);
  (void)feed.pool(1);
  (void)feed_early.pool(1);
  for (int i = 0; i < 3000; i++) {
    const std::string key = "/k" + std::to_string(i % 100);
    const std::string value = std::to_string(i);
    Change change = put_of(1, key, value);
    change.session = {1, uint64_t(i + 1), uint64_t(i)};
    (void)feed.apply(change);
    if (i < 2000) (void)feed_early.apply(change);
  }
  EXPECT(store.cut_back(early.last_position()) == Status::kInvalidArgument);  // not on disk yet
  LogBatch batch;
  while (store.close_batch(feed.sequence, batch)) store.on_batch_synced(batch);
  EXPECT(is_ok(store.cut_back(early.last_position())));
  EXPECT_EQ(store.digest(), early.digest());
  EXPECT_EQ(store.newest_version(), early.newest_version());
  for (Store* each : {&store, &early}) {
    Feeder more(*each);
    more.sequence = 5000;
    EXPECT_EQ(more.put("/k5", "new").version, Version{2001});
    EXPECT(value_of(each->get("/k5", {Kind::kAtVersion, 2000})) == "1905");
  }
  EXPECT_EQ(store.digest(), early.digest());
}

TEST(batches_cover_the_log_without_a_gap_and_sealed_segments_end_with_their_index) {
  Store store({.shard = 1, .persistent = true, .segment_size = kSmallSegment});
  Feeder feed(store);
  (void)feed.pool(1);
  uint64_t segment = 0;
  uint64_t end = kDiskHeaderSize;
  for (int i = 0; i < 4000; i++) {
    (void)feed.put("/k", std::string(static_cast<size_t>(i % 500), 'x'));
    if (i % 37 != 0) continue;
    LogBatch batch;
    while (store.close_batch(feed.sequence - 1, batch)) {
      EXPECT_EQ(batch.segment, segment);
      EXPECT_EQ(batch.offset, end);
      const RecordHeader& mark =
          RecordView(batch.bytes.data() + batch.bytes.size() - sizeof(RecordHeader)).header();
      EXPECT(mark.kind == RecordKind::kMark);
      EXPECT_EQ(mark.event_time,
                static_cast<Micros>(batch.offset + batch.bytes.size() - sizeof(RecordHeader)));
      end += batch.bytes.size();
      EXPECT(end <= kSmallSegment);
      if (batch.seals_segment) {
        segment++;
        end = kDiskHeaderSize;
      }
      store.on_batch_synced(batch);
    }
  }
  EXPECT(segment > 5);
}

TEST(cold_segments_leave_memory_and_say_where_they_lie) {
  Store store({.shard = 1,
               .persistent = true,
               .memory_max = 4 * kSmallSegment,
               .segment_size = kSmallSegment});
  Feeder feed(store);
  (void)feed.pool(1);
  LogBatch batch;
  for (int i = 0; i < 5000; i++) {
    (void)feed.put("/k" + std::to_string(i), "value");
    while (store.close_batch(feed.sequence - 1, batch)) store.on_batch_synced(batch);
  }
  EXPECT(store.stats().resident_bytes <= 5 * kSmallSegment);
  const Found cold = store.get("/k7", {});
  EXPECT(cold.status == Status::kCold);
  EXPECT_EQ(cold.version, Version{8});
  EXPECT_EQ(cold.cold_length, 128u);
  EXPECT(cold.record == nullptr);
  EXPECT(is_ok(store.get("/k4999", {}).status));
  std::vector<std::byte> buffer(1 << 16);
  size_t used = 0;
  LogPosition last;
  EXPECT(store.read_log({1, 5}, buffer, used, last) == Status::kCold);
}
