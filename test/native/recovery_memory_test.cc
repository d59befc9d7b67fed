// Where the records of a log lie once it is recovered: in memory as far as that is allowed, the
// rest on disk alone.
#include <algorithm>

#include "native/agent/log_reader.h"
#include "native/agent/log_recovery.h"
#include "native/agent/sealed_segment.h"
#include "native/core/log_format.h"
#include "test/native/support/log_rig.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

StoreConfig store_of(size_t memory_max) {
  StoreConfig config = rig_store();
  config.memory_max = memory_max;
  return config;
}

// Small records, and some that are longer than what is read of a file at once.
void fill_mixed(SimulatedFileSystem& disk, int count) {
  LogRig rig(disk);
  (void)rig.open();
  (void)rig.feed->pool(1);
  for (int i = 0; i < count; i++) {
    const size_t size = i % 37 == 20 ? size_t{300'000} : 100 + static_cast<size_t>(i) * 7 % 900;
    (void)rig.feed->put("/k" + std::to_string(i % 50), std::string(size, 'v'));
    if (i % 41 == 7) (void)rig.feed->remove("/k" + std::to_string(i % 9));
    if (i % 10 == 9) rig.turn();
  }
  rig.turn();
  rig.turn(true);
}

void zero_from(SimulatedFileSystem& disk, uint64_t segment, size_t offset) {
  const size_t size = bytes_of_segment(disk, segment).size();
  std::unique_ptr<File> file;
  EXPECT(is_ok(disk.open(path_of_segment(segment), FileSystem::Mode::kReadWrite, file)));
  EXPECT(is_ok(file->write_at(offset, std::vector<std::byte>(size - offset))));
  EXPECT(is_ok(file->sync_data()));
}

}  // namespace

TEST(a_log_is_restored_alike_however_much_of_it_stays_in_memory) {
  SimulatedFileSystem disk;
  fill_mixed(disk, 400);
  Store whole(store_of(size_t{1} << 30));
  const RecoveryResult first = recover_log(disk, {"/data", kCluster, kDisk, {}}, whole);
  EXPECT(is_ok(first.status));
  EXPECT_EQ(whole.newest_version(), Version{410});
  for (const size_t memory_max : {size_t{1}, 3 * kRigSegment, 20 * kRigSegment}) {
    Store store(store_of(memory_max));
    const RecoveryResult result = recover_log(disk, {"/data", kCluster, kDisk, {}}, store);
    EXPECT(is_ok(result.status));
    EXPECT_EQ(result.records, first.records);
    EXPECT_EQ(result.offset, first.offset);
    EXPECT_EQ(store.digest(), whole.digest());
    LogReader reader(disk, "/data", 3);
    std::vector<std::byte> bytes;
    size_t cold = 0;
    for (Version version = 1; version <= whole.newest_version(); version++) {
      const Found found = store.get_version(version);
      const std::byte* record = found.record;
      if (found.status == Status::kCold) {
        cold++;
        EXPECT(is_ok(reader.read(found.cold_segment, found.cold_offset, found.cold_length, bytes)));
        record = bytes.data();
      }
      const Found expected = whole.get_version(version);
      EXPECT(record != nullptr &&
             std::ranges::equal(Bytes(record, RecordView(record).size()),
                                Bytes(expected.record, RecordView(expected.record).size())));
    }
    EXPECT(cold > 0 && cold < 410);
    EXPECT(store.get_version(whole.newest_version()).status == Status::kOk);
    // The last segment is always there, and may be a large one.
    EXPECT(store.stats().resident_bytes <= std::max(memory_max, size_t{400'000}));
  }
}

// What lay behind was torn, with more of it than memory has room for: the log goes on in a segment
// that was thought to be cold.
TEST(a_log_that_ends_far_before_its_files_goes_on_there) {
  SimulatedFileSystem disk;
  {
    LogRig rig(disk);
    (void)rig.open();
    (void)rig.feed->pool(1);
    for (int i = 0; i < 1200; i++) {
      (void)rig.feed->put("/k" + std::to_string(i % 50), std::string(200, 'v'));
      if (i % 10 == 9) rig.turn();
    }
  }
  LogRig clean(disk);
  const uint64_t last = clean.open().segment;
  EXPECT(last > 8);
  const std::vector<std::byte> bytes = bytes_of_segment(disk, 2);
  size_t end = kDiskHeaderSize;
  Version newest = 0;
  for (bool is_mark = false; !is_mark || end < 20'000;) {
    const RecordView record(bytes.data() + end);
    is_mark = record.header().kind == RecordKind::kMark;
    if (!is_mark) newest = record.header().version;
    end += record.size();
  }
  zero_from(disk, 2, end);
  for (uint64_t segment = 3; segment <= last; segment++) zero_from(disk, segment, 0);

  const StoreConfig small = store_of(2 * kRigSegment);
  LogRig rig(disk);
  const RecoveryResult result = rig.open({}, small);
  EXPECT_EQ(status_name(result.status), status_name(Status::kOk));
  EXPECT_EQ(result.segment, uint64_t{2});
  EXPECT_EQ(result.offset, end);
  EXPECT_EQ(rig.store->newest_version(), newest);
  EXPECT(rig.store->get_version(1).status == Status::kCold);
  const Found kept = rig.store->get_version(newest);
  EXPECT(kept.status == Status::kOk);
  EXPECT_EQ(text_of(RecordView(kept.record).value()), std::string(200, 'v'));
  for (int i = 0; i < 300; i++) {
    (void)rig.feed->put("/again", std::string(200, 'w'));
    if (i % 10 == 9) rig.turn();
  }
  rig.turn(true);
  LogRig again(disk);
  EXPECT(is_ok(again.open().status));
  EXPECT_EQ(again.store->newest_version(), newest + 300);
  EXPECT_EQ(again.store->digest(), rig.store->digest());
}

TEST(a_cut_within_what_was_not_to_stay_in_memory_leaves_a_log_that_goes_on) {
  SimulatedFileSystem disk;
  fill_mixed(disk, 400);
  for (const Sequence cut : {Sequence{390}, Sequence{300}, Sequence{150}, Sequence{3}}) {
    LogRig rig(disk);
    const RecoveryResult result = rig.open(LogPosition{1, cut}, store_of(2 * kRigSegment));
    EXPECT(is_ok(result.status));
    EXPECT_EQ(rig.store->last_position().sequence, cut);
    rig.feed->epoch = 1;
    rig.feed->sequence = cut + 1;
    (void)rig.feed->put("/again", "w");
    rig.turn(true);
    LogRig again(disk);
    EXPECT(is_ok(again.open().status));
    EXPECT_EQ(again.store->digest(), rig.store->digest());
    EXPECT_EQ(again.store->last_position().sequence, cut + 1);
  }
}

TEST(a_segment_that_is_on_disk_alone_comes_back_while_there_is_room) {
  SimulatedFileSystem disk;
  fill_mixed(disk, 400);
  Store store(store_of(20 * kRigSegment));
  RecoveryConfig config{"/data", kCluster, kDisk, {}};
  config.resident_max = 0;
  EXPECT(is_ok(recover_log(disk, config, store).status));
  const std::string folder = "/data/shard-3";
  const Found cold = store.get_version(3);
  EXPECT(cold.status == Status::kCold);
  EXPECT(store.has_room_for(cold.cold_segment));
  SealedSegment read;
  EXPECT(is_ok(read_sealed(disk, folder, kCluster, 3, cold.cold_segment, read)));
  // It has to end where the store says.
  SealedSegment shorter;
  EXPECT(is_ok(read_sealed(disk, folder, kCluster, 3, cold.cold_segment, shorter)));
  EXPECT(!store.bring_back(cold.cold_segment, std::move(shorter.block), shorter.used - 64));
  EXPECT(store.bring_back(cold.cold_segment, std::move(read.block), read.used));
  EXPECT(!store.has_room_for(cold.cold_segment));
  const Found warm = store.get_version(3);
  EXPECT(warm.status == Status::kOk && payload_crc_matches(RecordView(warm.record)));
  EXPECT_EQ(RecordView(warm.record).header().version, Version{3});

  // The segment that goes on is none of them; nor is what does not fit.
  EXPECT(!store.has_room_for(store.synced_end().segment));
  EXPECT(!store.has_room_for(1000));
  for (uint64_t segment = 0; segment < store.synced_end().segment; segment++) {
    SealedSegment more;
    EXPECT(is_ok(read_sealed(disk, folder, kCluster, 3, segment, more)));
    const bool had_room = store.has_room_for(segment);
    EXPECT_EQ(store.bring_back(segment, std::move(more.block), more.used), had_room);
    EXPECT(store.stats().resident_bytes <= 20 * kRigSegment);
  }
}

TEST(a_damaged_segment_does_not_come_back) {
  SimulatedFileSystem disk;
  fill_mixed(disk, 400);
  SealedSegment read;
  EXPECT(is_ok(read_sealed(disk, "/data/shard-3", kCluster, 3, 0, read)));
  const uint64_t end = read.used;
  for (const uint64_t at : {uint64_t{9}, uint64_t{5000}, end - 10}) {
    EXPECT(disk.flip_bit(path_of_segment(0), at, 2));
    SealedSegment damaged;
    EXPECT(read_sealed(disk, "/data/shard-3", kCluster, 3, 0, damaged) == Status::kLogCorrupt);
    EXPECT(damaged.offset <= at);
    EXPECT(disk.flip_bit(path_of_segment(0), at, 2));
  }
}

// What readers hold back is as good as gone: it is not made up for by the rest.
TEST(no_more_leaves_memory_than_has_to_while_somebody_reads) {
  SimulatedFileSystem disk;
  LogRig rig(disk);
  (void)rig.open({}, store_of(8 * kRigSegment));
  (void)rig.feed->pool(1);
  Store& store = *rig.store;
  const auto fill_segments = [&](uint64_t last) {
    while (store.synced_end().segment < last) {
      (void)rig.feed->put("/k", std::string(900, 'v'));
      rig.turn();
    }
  };
  fill_segments(7);
  EXPECT(store.get_version(1).status == Status::kOk);
  Store::Reader reader(store);
  {
    const Store::ReadGuard guard(reader);
    fill_segments(8);
    EXPECT(store.get_version(1).status == Status::kCold);
    EXPECT(store.get_version(store.newest_version() / 2).status == Status::kOk);
  }
  (void)store.maintain(1);
  EXPECT(store.get_version(store.newest_version() / 2).status == Status::kOk);
  EXPECT(store.stats().resident_bytes <= 8 * kRigSegment);
}
