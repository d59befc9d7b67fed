// The log threads on a real disk: order, group commit, failure, space, and the files' bytes.
#include <unistd.h>

#include <atomic>
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

// A real disk on which syncs of files below a folder wait until they are let go.
class HeldSyncs final : public FileSystem {
 public:
  explicit HeldSyncs(std::string folder) : folder_(std::move(folder)) {}

  void until_held() { syncs_.wait(0); }
  void let_go() {
    is_held_.store(false);
    is_held_.notify_all();
  }

  Status open(const std::string& path, Mode mode, std::unique_ptr<File>& out) override {
    std::unique_ptr<File> file;
    const Status status = files_->open(path, mode, file);
    if (is_ok(status)) out = std::make_unique<Held>(*this, path, std::move(file));
    return status;
  }
  Status list(const std::string& folder, std::vector<std::string>& names) override {
    return files_->list(folder, names);
  }
  Status make_folder(const std::string& path) override { return files_->make_folder(path); }
  Status remove(const std::string& path) override { return files_->remove(path); }
  Status rename(const std::string& from, const std::string& to) override {
    return files_->rename(from, to);
  }
  Status sync_folder(const std::string& path) override { return files_->sync_folder(path); }
  Status free_space(const std::string& path, uint64_t& bytes) override {
    return files_->free_space(path, bytes);
  }
  Status lock(const std::string& path, std::unique_ptr<FileLock>& out) override {
    return files_->lock(path, out);
  }

 private:
  class Held final : public File {
   public:
    Held(HeldSyncs& owner, const std::string& path, std::unique_ptr<File> file)
        : owner_(owner),
          waits_(path.find(owner.folder_) != std::string::npos),
          file_(std::move(file)) {}
    Status write_at(uint64_t offset, Bytes bytes) override {
      return file_->write_at(offset, bytes);
    }
    Status read_at(uint64_t offset, MutableBytes out) override {
      return file_->read_at(offset, out);
    }
    Status sync_data() override {
      if (waits_) {
        owner_.syncs_.fetch_add(1);
        owner_.syncs_.notify_all();
        owner_.is_held_.wait(true);
      }
      return file_->sync_data();
    }
    Status preallocate(uint64_t size) override { return file_->preallocate(size); }
    Status size(uint64_t& out) override { return file_->size(out); }
    Status truncate(uint64_t size) override { return file_->truncate(size); }
    uint64_t block_size() const override { return file_->block_size(); }

   private:
    HeldSyncs& owner_;
    const bool waits_;
    const std::unique_ptr<File> file_;
  };

  const std::string folder_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::atomic<int> syncs_{0};
  std::atomic<bool> is_held_{true};
};

}  // namespace

// More shards than threads.
TEST(shards_share_the_log_threads_and_come_back) {
  constexpr size_t kShards = kLogLanes + 2;
  TempFolder folder;
  const auto files = make_posix_file_system();
  std::vector<std::unique_ptr<Store>> stores;
  for (ShardId shard = 1; shard <= kShards; shard++)
    stores.push_back(std::make_unique<Store>(
        StoreConfig{.shard = shard, .persistent = true, .segment_size = size_t{256} << 10}));
  std::vector<uint64_t> digests;
  {
    std::atomic<uint64_t> wakes{0};
    LogWriter writer(*files, {.data = folder.path, .cluster = kCluster, .disk = kDisk},
                     [&] { wakes.fetch_add(1); });
    EXPECT(is_ok(writer.start()));
    std::vector<Feeder> feeds;
    std::vector<Sequence> synced(kShards, -1);
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
    for (size_t i = 0; i < 12'000; i++) {
      Feeder& feed = feeds[i % kShards];
      (void)feed.put("/k" + std::to_string(i % 180), std::string(i % 700, 'v'));
      if (i % 20 < 3) {
        for (LogBatch batch; stores[i % kShards]->close_batch(feed.sequence - 1, batch); out++)
          EXPECT(writer.submit(batch));
      }
      take();
    }
    for (size_t n = 0; n < kShards; n++) {
      for (LogBatch batch; stores[n]->close_batch(feeds[n].sequence - 1, batch); out++)
        EXPECT(writer.submit(batch));
    }
    writer.stop();
    take();
    EXPECT_EQ(back, out);
    EXPECT(wakes.load() > 0);
    EXPECT(writer.stats().syncs <= writer.stats().batches);
    EXPECT(writer.space().room == DiskRoom::kEnough);
    for (size_t n = 0; n < kShards; n++) EXPECT_EQ(synced[n], feeds[n].sequence - 1);
    for (auto& store : stores) digests.push_back(store->digest());
  }
  for (ShardId shard = 1; shard <= kShards; shard++) {
    Store store({.shard = shard, .persistent = true, .segment_size = size_t{256} << 10});
    const RecoveryResult result =
        recover_log(*files, {folder.path, kCluster, kDisk, std::nullopt}, store);
    EXPECT_EQ(status_name(result.status), status_name(Status::kOk));
    EXPECT_EQ(store.digest(), digests[shard - 1]);
  }
}

// The sync of one shard's file takes as long as it takes; those of other threads are reported.
TEST(no_shard_waits_for_the_sync_of_another_thread) {
  TempFolder folder;
  HeldSyncs files("/shard-1/");
  LogWriter writer(files, {.data = folder.path, .cluster = kCluster, .disk = kDisk}, nullptr);
  EXPECT(is_ok(writer.start()));
  std::vector<std::unique_ptr<Store>> stores;
  for (ShardId shard = 1; shard <= 2; shard++) {
    stores.push_back(std::make_unique<Store>(StoreConfig{.shard = shard, .persistent = true}));
    Feeder feed(*stores.back());
    (void)feed.pool(1);
    LogBatch batch;
    EXPECT(stores.back()->close_batch(feed.sequence - 1, batch));
    EXPECT(writer.submit(batch));
  }
  const auto next = [&] {
    LogReport report;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!writer.collect(report) && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT(is_ok(report.status));
    return report.batch.shard;
  };
  files.until_held();
  EXPECT_EQ(next(), ShardId{2});
  files.let_go();
  EXPECT_EQ(next(), ShardId{1});
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
