// Records that come in pieces: where they are put together, and whether they stay there.
#include <algorithm>
#include <string>

#include "native/core/store/store.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLength = size_t{300} << 10;

std::string value_of(const Found& found) {
  return std::string(text_of(RecordView(found.record).value()));
}

void clean(Store& store) {
  while (store.maintain(1 << 20)) {
  }
}

}  // namespace

TEST(large_records_come_in_pieces_between_small_ones) {
  for (const bool persistent : {false, true}) {
    Store store({.shard = 1, .persistent = persistent});
    Feeder feed(store);
    (void)feed.pool(1);
    for (const size_t size : {size_t{100}, size_t{300} << 10, size_t{3} << 20, size_t{20} << 20}) {
      std::string value(size, 'q');
      value[size / 2] = 'r';
      const auto bytes = encode(put_of(1, "/large", value));
      const RecordView record(bytes.data());
      const MutableBytes room = store.reserve_large(3, record.header().length);
      EXPECT(room.size() >= record.header().length);
      for (size_t at = 0; at < bytes.size(); at += 10'000) {
        const size_t step = std::min<size_t>(10'000, bytes.size() - at);
        std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(at), step,
                    room.begin() + static_cast<ptrdiff_t>(at));
        if (at % 50'000 == 0) (void)feed.put("/small", "s");
      }
      const Applied applied = store.apply_large(3, feed.epoch, feed.sequence++);
      EXPECT(is_ok(applied.status));
      const Found found = store.get_version(applied.version);
      EXPECT_EQ(found.value_size, size);
      EXPECT(value_of(found) == value);
      EXPECT(payload_crc_matches(RecordView(found.record)));
      (void)feed.put("/after", "x");
    }
    (void)store.reserve_large(2, 1 << 20);
    store.abandon_large(2);
    store.abandon_large(2);
  }
}

// Many may be on their way at once, of which none takes a segment.
TEST(a_large_record_that_will_be_copied_takes_as_much_memory_as_it_needs) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1);
  (void)feed.put("/small", "s");
  const uint64_t before = store.stats().resident_bytes;
  constexpr size_t kSize = size_t{100} << 10;
  for (uint32_t slot = 0; slot < kTransfersMax; slot++) (void)store.reserve_large(slot, kSize);
  const uint64_t taken = store.stats().resident_bytes - before;
  EXPECT(taken >= kTransfersMax * kSize);
  EXPECT(taken < 2 * kTransfersMax * kSize);
  for (uint32_t slot = 0; slot < kTransfersMax; slot++) (void)store.abandon_large(slot);
  EXPECT_EQ(store.stats().resident_bytes, before);
}

// Between small records, which go on in the segment where they were.
TEST(a_large_record_in_memory_takes_what_it_needs_where_it_was_put_together) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  (void)feed.put("/small", "s");
  const uint64_t before = store.stats().resident_bytes;
  const std::byte* last = nullptr;
  for (int i = 0; i < 100; i++) {
    const std::string value(kLength, static_cast<char>('a' + i % 26));
    const Applied applied = feed.put_large("/large", value);
    EXPECT(is_ok(applied.status));
    const Found found = store.get("/large", {});
    EXPECT(value_of(found) == value);
    // Of the one before and this one, which is all of the history, one can be there.
    EXPECT(store.stats().resident_bytes - before <= 2 * (kLength + kPage));
    EXPECT(i == 0 || found.record != last);
    last = found.record;
    (void)feed.put("/small", "s");
    clean(store);
    EXPECT(store.stats().resident_bytes - before <= kLength + kPage);
  }
  (void)feed.remove("/large");
  clean(store);
  EXPECT_EQ(store.stats().resident_bytes, before);
  EXPECT_EQ(store.stats().copied_bytes, 0u);
}

TEST(a_large_record_stays_while_a_reader_holds_it) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  const std::string value(kLength, 'r');
  (void)feed.put_large("/large", value);
  Store::Reader reader(store);
  reader.enter();
  const Found found = store.get("/large", {});
  for (int i = 0; i < 10; i++) {
    (void)feed.put_large("/large", std::string(kLength, 'x'));
    clean(store);
  }
  EXPECT(value_of(found) == value);
  reader.leave();
  clean(store);
  EXPECT(store.stats().resident_bytes <= kSegmentSize + kLength + kPage);
}

TEST(a_large_record_that_is_refused_leaves_its_memory) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  (void)feed.put("/small", "s");
  const uint64_t before = store.stats().resident_bytes;
  const std::string value(kLength, 'x');
  Change change = put_of(1, "/large", value);
  change.condition = {.version_of_key = 9};
  EXPECT(feed.apply_large(change).status != Status::kOk);
  clean(store);
  EXPECT_EQ(store.stats().resident_bytes, before);
}

// Of a third of a segment each, so that pieces of mapped blocks come and go in every order.
TEST(many_large_records_of_different_lengths_share_memory_and_give_it_back) {
  constexpr size_t kSegment = size_t{1} << 20;
  Store store({.shard = 1, .memory_max = size_t{24} << 20, .segment_size = kSegment});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  const auto put = [&](int key, size_t length) {
    const std::string name = "/k" + std::to_string(key);
    EXPECT(is_ok(feed.put_large(name, std::string(length, static_cast<char>('a' + key))).status));
  };
  const auto expect = [&](int key, size_t length) {
    const Found found = store.get("/k" + std::to_string(key), {});
    EXPECT(value_of(found) == std::string(length, static_cast<char>('a' + key)));
  };
  constexpr int kKeys = 40;
  for (int key = 0; key < kKeys; key++) put(key, kLength);
  for (int key = 0; key < kKeys; key += 2) {
    EXPECT(is_ok(feed.remove("/k" + std::to_string(key)).status));
    clean(store);
  }
  // What was given back fits none of these, and goes where it would be too much.
  constexpr size_t kLonger = size_t{700} << 10;
  for (int key = 0; key < kKeys / 2; key += 2) put(key, kLonger);
  (void)store.reserve_large(2, kLength);
  const MappedBlock given = store.abandon_large(2);
  EXPECT(given.size() >= kLength);
  for (int key = 0; key < kKeys; key++) {
    if (key % 2 != 0) expect(key, kLength);
    if (key % 2 == 0 && key < kKeys / 2) expect(key, kLonger);
  }
  for (int key = 0; key < kKeys; key++) (void)feed.remove("/k" + std::to_string(key));
  clean(store);
  EXPECT(store.stats().resident_bytes <= 2 * kSegment);
  EXPECT_EQ(store.stats().copied_bytes, 0u);
}

// Who is behind may still ask for it.
TEST(a_large_trigger_goes_when_it_is_released) {
  Store store({.shard = 1});
  Feeder feed(store);
  (void)feed.pool(1, 1);
  (void)feed.put("/small", "s");
  const uint64_t before = store.stats().resident_bytes;
  store.release_up_to(0);
  const std::string value(kLength, 't');
  Change change = put_of(1, "/large", value);
  change.kind = RecordKind::kTrigger;
  const Applied applied = feed.apply_large(change);
  clean(store);
  EXPECT(value_of(store.get_version(applied.version)) == value);
  store.release_up_to(applied.version);
  clean(store);
  EXPECT(store.get_version(applied.version).status == Status::kCompacted);
  EXPECT_EQ(store.stats().resident_bytes, before);
}

// The more memory, the longer are those that are alone: there are never very many.
TEST(what_is_alone_is_a_small_part_of_the_memory) {
  const Store little({.shard = 1, .memory_max = size_t{1} << 30});
  EXPECT(little.copies_large(kAloneSizeMin - 2 * kRecordAlignment));
  EXPECT(!little.copies_large(kAloneSizeMin));
  const Store much({.shard = 1, .memory_max = size_t{16} << 30});
  EXPECT(much.copies_large(size_t{3} << 20));
  EXPECT(!much.copies_large((size_t{16} << 30) / kAloneRecordsMax));
}
