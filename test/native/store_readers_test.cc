// Readers on other threads while the writer writes, prunes, cleans and grows. Run under
// -fsanitize=thread to mean the most.
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "native/core/store/store.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr int kLargeStep = 1000;  // puts of which one is large

// A value tells its key and number, so that a reader sees a torn or reused record.
std::string value_of(int key, int number) {
  std::string value = std::to_string(key) + ":" + std::to_string(number) + ":";
  const int length = number % kLargeStep == 0 ? 300'000 : 50 + number % 200;
  value.append(static_cast<size_t>(length), static_cast<char>('a' + number % 26));
  return value;
}

bool is_right(std::string_view key, std::string_view value) {
  const size_t colon = value.find(':');
  const size_t second = value.find(':', colon + 1);
  if (colon == std::string_view::npos || second == std::string_view::npos) return false;
  const int number = std::stoi(std::string(value.substr(colon + 1, second - colon - 1)));
  return key == "/k" + std::string(value.substr(0, colon)) &&
         value == value_of(std::stoi(std::string(value.substr(0, colon))), number);
}

struct Tally {
  std::atomic<uint64_t> read{0};
  std::atomic<uint64_t> wrong{0};
};

void read_on(Store& store, const std::atomic<bool>& stop, uint64_t seed, Tally& tally) {
  std::mt19937_64 random(seed);
  Store::Reader reader(store);
  std::vector<std::string_view> keys;
  Version seen = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    reader.enter();
    for (int i = 0; i < 20; i++) {
      const std::string key = "/k" + std::to_string(random() % 3000);
      const Version newest = store.newest_version();
      if (newest < seen) tally.wrong++;
      seen = newest;
      ReadPoint point;
      if (i % 4 == 1) point = {ReadPoint::Kind::kAtVersion, newest - random() % 500};
      if (i % 4 == 2) point = {ReadPoint::Kind::kAtTime, random() % 100'000};
      Found found = i % 4 == 3 ? store.get_version(newest) : store.get(key, point);
      if (i % 4 == 3 && newest > 0 && found.status == Status::kNotFound) tally.wrong++;
      if (found.time > store.newest_time()) tally.wrong++;
      if (!is_ok(found.status) || found.removed) continue;
      const RecordView record(found.record);
      if (!is_right(record.key(), text_of(record.value()))) tally.wrong++;
      if (found.version != record.header().version) tally.wrong++;
      tally.read++;
    }
    if (random() % 8 == 0) {
      keys.clear();
      (void)store.list("/k1", "", {}, 50, keys);
      for (size_t i = 1; i < keys.size(); i++) {
        if (!(keys[i - 1] < keys[i])) tally.wrong++;
      }
      (void)store.version_at_time(static_cast<Micros>(random() % 100'000));
      (void)store.stats();
    }
    reader.leave();
  }
}

void run(bool persistent, int steps) {
  Store store({.shard = 1,
               .persistent = persistent,
               .memory_max = size_t{32} << 20,
               .segment_size = size_t{64} << 10});
  Feeder feed(store);
  (void)feed.pool(1, 3);
  std::atomic<bool> stop{false};
  Tally tally;
  std::vector<std::thread> readers;
  for (uint64_t i = 0; i < 3; i++)
    readers.emplace_back([&, i] { read_on(store, stop, seed(10) + i, tally); });
  std::mt19937_64 random(seed(9));
  LogBatch batch;
  for (int i = 0; i < steps; i++) {
    // Ever more keys, so that the index grows under the readers.
    const int key = static_cast<int>(random() % static_cast<uint64_t>(10 + i / 10)) % 3000;
    if (i % 17 == 0) {
      (void)feed.remove("/k" + std::to_string(key));
    } else if (i % kLargeStep == 0) {
      (void)feed.put_large("/k" + std::to_string(key), value_of(key, i));
    } else {
      (void)feed.put("/k" + std::to_string(key), value_of(key, i));
    }
    if (i % 1000 == 0) feed.epoch++;
    if (persistent && i % 10 == 0) {
      while (store.close_batch(feed.sequence - 1, batch)) store.on_batch_synced(batch);
    }
    if (i % 5 == 0) (void)store.maintain(4000);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(tally.wrong.load(), uint64_t{0});
  EXPECT(tally.read.load() > 0);
  if (!persistent) EXPECT(store.stats().copied_bytes > 0);
}

}  // namespace

TEST(readers_see_whole_records_while_a_volatile_store_is_cleaned) { run(false, 60'000); }
TEST(readers_see_whole_records_while_persistent_segments_go_cold) { run(true, 40'000); }

TEST(no_more_readers_than_the_limit) {
  Store store({.shard = 1});
  std::vector<std::unique_ptr<Store::Reader>> readers;
  for (size_t i = 0; i < kReadersMax; i++) {
    readers.push_back(std::make_unique<Store::Reader>(store));
    EXPECT(readers.back()->valid());
  }
  {
    Store::Reader one_more(store);
    EXPECT(!one_more.valid());
  }
  readers.pop_back();
  Store::Reader again(store);
  EXPECT(again.valid());
}

TEST(what_a_reader_holds_stays_although_it_was_pruned_and_cleaned) {
  Store store({.shard = 1, .memory_max = size_t{2} << 20, .segment_size = size_t{64} << 10});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  (void)feed.put("/k1", value_of(1, 0));
  Store::Reader reader(store);
  reader.enter();
  const Found found = store.get("/k1", {});
  for (int i = 1; i < 5000; i++) {
    (void)feed.put("/k1", value_of(1, i));
    (void)store.maintain(10'000);
  }
  EXPECT(text_of(RecordView(found.record).value()) == value_of(1, 0));
  const uint64_t held = store.stats().resident_bytes;
  reader.leave();
  while (store.maintain(100'000)) {
  }
  EXPECT(store.stats().resident_bytes < held);
}
