// The log thread on a real disk: order, group commit, failure, space, and the files' bytes.
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "native/agent/log_recovery.h"
#include "native/agent/log_segment.h"
#include "native/agent/log_writer.h"
#include "native/core/log_format.h"
#include "native/io/posix_file.h"
#include "test/native/support/log_rig.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

struct TempFolder {
  std::string path;
  TempFolder() {
    char made[] = "/tmp/freshet-log-XXXXXX";
    path = ::mkdtemp(made);
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST(three_shards_share_the_log_thread_and_come_back) {
  TempFolder folder;
  const auto files = make_posix_file_system();
  std::vector<std::unique_ptr<Store>> stores;
  for (ShardId shard = 1; shard <= 3; shard++)
    stores.push_back(std::make_unique<Store>(
        StoreConfig{.shard = shard, .persistent = true, .segment_size = size_t{256} << 10}));
  std::vector<uint64_t> digests;
  {
    std::atomic<uint64_t> wakes{0};
    LogWriter writer(*files, {.data = folder.path, .cluster = kCluster, .disk = kDisk},
                     [&] { wakes.fetch_add(1); });
    EXPECT(is_ok(writer.start()));
    std::vector<Feeder> feeds;
    std::vector<Sequence> synced(3, -1);
    for (auto& store : stores) {
      feeds.emplace_back(*store);
      (void)feeds.back().pool(1);
    }
    uint64_t out = 0;
    uint64_t back = 0;
    const auto take = [&] {
      for (LogReport report; writer.collect(report);) {
        EXPECT(is_ok(report.status));
        EXPECT(report.batch.last_sequence >= synced[report.batch.shard - 1]);
        synced[report.batch.shard - 1] = report.batch.last_sequence;
        stores[report.batch.shard - 1]->on_batch_synced(report.batch);
        back++;
      }
    };
    for (int i = 0; i < 6000; i++) {
      Feeder& feed = feeds[static_cast<size_t>(i % 3)];
      (void)feed.put("/k" + std::to_string(i % 90), std::string(static_cast<size_t>(i % 700), 'v'));
      if (i % 20 < 3) {
        for (LogBatch batch;
             stores[static_cast<size_t>(i % 3)]->close_batch(feed.sequence - 1, batch); out++)
          EXPECT(writer.submit(batch));
      }
      take();
    }
    for (size_t n = 0; n < 3; n++) {
      for (LogBatch batch; stores[n]->close_batch(feeds[n].sequence - 1, batch); out++)
        EXPECT(writer.submit(batch));
    }
    writer.stop();
    take();
    EXPECT_EQ(back, out);
    EXPECT(wakes.load() > 0);
    EXPECT(writer.stats().syncs <= writer.stats().batches);
    EXPECT(writer.space().room == DiskRoom::kEnough);
    for (size_t n = 0; n < 3; n++) EXPECT_EQ(synced[n], feeds[n].sequence - 1);
    for (auto& store : stores) digests.push_back(store->digest());
  }
  for (ShardId shard = 1; shard <= 3; shard++) {
    Store store({.shard = shard, .persistent = true, .segment_size = size_t{256} << 10});
    const RecoveryResult result =
        recover_log(*files, {folder.path, kCluster, kDisk, std::nullopt}, store);
    EXPECT_EQ(status_name(result.status), status_name(Status::kOk));
    EXPECT_EQ(store.digest(), digests[shard - 1]);
  }
}

TEST(a_segment_file_begins_with_its_header_and_then_the_records_as_in_memory) {
  SimulatedFileSystem disk;
  LogRig rig(disk);
  (void)rig.open();
  (void)rig.feed->pool(1);
  (void)rig.feed->put("/key", "value");
  LogBatch batch;
  EXPECT(rig.store->close_batch(1, batch));
  const std::vector<std::byte> given(batch.bytes.begin(), batch.bytes.end());
  EXPECT(rig.writer->submit(batch));
  EXPECT_EQ(rig.writer->do_work(), 1);
  std::unique_ptr<File> file;
  EXPECT(is_ok(disk.open("/data/shard-3/00000000.log", FileSystem::Mode::kRead, file)));
  std::vector<std::byte> bytes(kDiskHeaderSize + given.size());
  EXPECT(is_ok(file->read_at(0, bytes)));
  EXPECT(std::memcmp(bytes.data(), "FRSHTLOG", 8) == 0);
  EXPECT_EQ(int(bytes[8]), int(kDiskFormat));
  EXPECT_EQ(int(bytes[16]), int(kCluster));
  EXPECT_EQ(int(bytes[24]), int(kDisk));
  EXPECT_EQ(int(bytes[32]), 0);  // segment
  EXPECT_EQ(int(bytes[48]), 1);  // first epoch
  EXPECT_EQ(int(bytes[52]), 3);  // shard
  EXPECT(std::equal(given.begin(), given.end(), bytes.begin() + kDiskHeaderSize));
}

TEST(a_failed_sync_stops_its_shard_for_good) {
  SimulatedFileSystem disk;
  LogRig rig(disk);
  (void)rig.open();
  disk.set_faults({.fail_sync_at = 0});
  (void)rig.feed->pool(1);
  rig.turn();
  EXPECT(rig.failed);
  EXPECT_EQ(rig.acknowledged.sequence, Sequence{-1});
  (void)rig.feed->put("/k", "v");
  rig.turn();  // the disk would work again; nobody knows what it holds
  EXPECT_EQ(rig.acknowledged.sequence, Sequence{-1});
}

TEST(a_large_batch_is_written_in_slices_and_other_shards_do_not_wait_for_it) {
  SimulatedFileSystem disk;
  LogWriter writer(disk, {.data = "/data", .cluster = kCluster, .disk = kDisk, .threads = false},
                   nullptr);
  EXPECT(is_ok(writer.start()));
  std::vector<std::unique_ptr<Store>> stores;
  std::vector<Feeder> feeds;
  for (ShardId shard = 1; shard <= 2; shard++)
    stores.push_back(std::make_unique<Store>(StoreConfig{.shard = shard, .persistent = true}));
  for (auto& store : stores) (void)feeds.emplace_back(*store).pool(1);
  std::vector<size_t> submitted(2), reported(2);
  Status status = Status::kOk;
  const auto submit = [&](size_t nth) {
    for (LogBatch batch; stores[nth]->close_batch(feeds[nth].sequence - 1, batch);) {
      EXPECT(writer.submit(batch));
      submitted[nth]++;
    }
  };
  const auto turn = [&] {
    EXPECT(writer.do_work() > 0);
    for (LogReport report; writer.collect(report);) {
      reported[report.batch.shard - 1]++;
      status = report.status;
      if (is_ok(status)) stores[report.batch.shard - 1]->on_batch_synced(report.batch);
    }
  };
  (void)feeds[0].put("/k", std::string(size_t{100} << 20, 'v'));
  (void)feeds[0].put("/behind", "v");
  submit(0);
  int turns = 0;
  for (; writer.has_work(); turns++) {
    (void)feeds[1].put("/k", "v");
    submit(1);
    turn();
    EXPECT_EQ(reported[1], submitted[1]);
    EXPECT_EQ(reported[0] == submitted[0], !writer.has_work());
  }
  EXPECT_EQ(turns, 4);
  EXPECT(is_ok(status));
  Store again({.shard = 1, .persistent = true});
  const RecoveryResult result = recover_log(disk, {"/data", kCluster, kDisk, std::nullopt}, again);
  EXPECT_EQ(status_name(result.status), status_name(Status::kOk));
  EXPECT_EQ(again.digest(), stores[0]->digest());

  // A slice that fails ends its batch.
  (void)feeds[0].put("/k", std::string(size_t{100} << 20, 'w'));
  submit(0);
  disk.set_faults({.space = uint64_t{150} << 20});
  turn();
  EXPECT(writer.has_work());
  turn();
  EXPECT(!writer.has_work());
  EXPECT_EQ(reported[0], submitted[0]);
  EXPECT_EQ(status_name(status), status_name(Status::kDiskFailed));
}

TEST(a_nearly_full_disk_is_told_before_it_is_full) {
  SimulatedFileSystem disk;
  disk.set_faults({.space = (uint64_t{256} << 20) + (100 << 10)});
  LogRig rig(disk);
  (void)rig.open();
  (void)rig.feed->pool(1);
  EXPECT(rig.writer->space().room == DiskRoom::kEnough);
  for (int i = 0; i < 300; i++) {
    (void)rig.feed->put("/k", std::string(800, 'v'));
    rig.turn();
  }
  EXPECT(rig.writer->space().room == DiskRoom::kLittle);
  EXPECT(!rig.failed);
}

TEST(a_run_is_of_sound_records_and_a_mark_is_one_of_its_own) {
  SimulatedFileSystem disk;
  LogRig rig(disk);
  (void)rig.open();
  (void)rig.feed->pool(1);
  for (int i = 0; i < 20; i++) {
    (void)rig.feed->put("/k", std::string(100, 'v'));
    if (i % 7 == 6) rig.turn();
  }
  rig.turn();
  auto bytes = bytes_of_segment(disk, 0);
  std::vector<RecordView> run;
  size_t records = 0;
  size_t marks = 0;
  uint64_t at = kDiskHeaderSize;
  const auto find = [&] { find_sound_run(Bytes(bytes).subspan(at), at, 3, 0, 4, run); };
  for (find(); !run.empty(); find()) {
    EXPECT(run.size() <= 4);
    for (const RecordView& record : run) {
      EXPECT(record.start() == bytes.data() + at);
      const bool is_mark = record.header().kind == RecordKind::kMark;
      EXPECT(!is_mark || run.size() == 1);
      (is_mark ? marks : records)++;
      at += record.size();
    }
  }
  EXPECT_EQ(records, size_t{21});
  EXPECT_EQ(marks, size_t{3});

  at = kDiskHeaderSize;
  find();
  EXPECT_EQ(run.size(), size_t{4});
  const_cast<std::byte*>(run[2].start())[80] ^= std::byte{1};
  find();
  EXPECT_EQ(run.size(), size_t{2});
}

TEST(a_record_of_any_length_is_sound_until_a_bit_of_it_or_its_padding_is_flipped) {
  for (const size_t size : {0u, 1u, 5u, 8u, 20u, 51u, 59u, 60u, 61u, 68u, 100u, 4'100u}) {
    auto bytes = encode(put_of(3, "/k", std::string(size, 'v')), 7, 2);
    auto& header = *reinterpret_cast<RecordHeader*>(bytes.data());
    header.version = header.sequence = 17;
    seal_header(header);
    EXPECT(is_sound_from(bytes, 4096, 7, 0));
    EXPECT(!is_sound_from(bytes, 4096, 8, 0));
    for (size_t bit = 0; bit < bytes.size() * 8; bit++) {
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      EXPECT(!is_sound_from(bytes, 4096, 7, 0));
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    }
  }
}

TEST(what_is_no_history_of_this_shard_is_not_restored) {
  for (const bool persistent : {false, true}) {
    Store from({.shard = 1});
    Feeder feed(from);
    (void)feed.pool(1);
    (void)feed.put("/k", "v");
    std::vector<std::byte> bytes(1000);
    size_t used = 0;
    LogPosition last;
    EXPECT(is_ok(from.read_log({}, bytes, used, last)));
    const RecordView control(bytes.data());

    Store other({.shard = 2, .persistent = persistent});
    EXPECT(other.restore(control, std::nullopt) == Status::kInvalidArgument);
    Store to({.shard = 1, .persistent = persistent});
    for (const RecordKind kind : {RecordKind::kNull, RecordKind::kBlock, RecordKind::kWrap,
                                  RecordKind::kMark, RecordKind::kIndex}) {
      std::vector<std::byte> changed(bytes.begin(), bytes.end());
      auto& header = *reinterpret_cast<RecordHeader*>(changed.data());
      header.kind = kind;
      seal_header(header);
      EXPECT(to.restore(RecordView(changed.data()), std::nullopt) == Status::kInvalidArgument);
    }
    EXPECT_EQ(to.last_position().epoch, Epoch{0});
    EXPECT(is_ok(to.restore(control, std::nullopt)));
  }
}
