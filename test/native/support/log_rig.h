// A persistent store with its log on a simulated disk, and what it acknowledged.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_LOG_RIG_H_
#define FRESHET_TEST_NATIVE_SUPPORT_LOG_RIG_H_

#include <memory>
#include <string>
#include <vector>

#include "native/agent/log_recovery.h"
#include "native/agent/log_writer.h"
#include "native/core/log_format.h"
#include "native/core/store/store.h"
#include "native/io/simulated_file.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

namespace freshet::test {

inline constexpr uint64_t kCluster = 77;
inline constexpr uint64_t kDisk = 5;
inline constexpr size_t kRigSegment = size_t{32} << 10;

inline StoreConfig rig_store() {
  return {.shard = 3, .persistent = true, .segment_size = kRigSegment};
}

// Of the rig's shard.
inline std::string path_of_segment(uint64_t segment) {
  return "/data/shard-3/" + segment_name(segment);
}

inline std::vector<std::byte> bytes_of_segment(SimulatedFileSystem& disk, uint64_t segment) {
  std::unique_ptr<File> file;
  uint64_t size = 0;
  EXPECT(is_ok(disk.open(path_of_segment(segment), FileSystem::Mode::kRead, file)));
  EXPECT(is_ok(file->size(size)));
  std::vector<std::byte> bytes(size);
  EXPECT(is_ok(file->read_at(0, bytes)));
  return bytes;
}

class LogRig {
 public:
  explicit LogRig(FileSystem& files) : files_(files) {}

  RecoveryResult open(std::optional<LogPosition> cut_after = std::nullopt,
                      StoreConfig config = rig_store()) {
    store = std::make_unique<Store>(config);
    const RecoveryResult result =
        recover_log(files_, {"/data", kCluster, kDisk, cut_after}, *store);
    LogWriterConfig written{.data = "/data", .cluster = kCluster, .disk = kDisk};
    written.prepare_step = 8 << 10;
    written.threads = false;
    writer = std::make_unique<LogWriter>(files_, written, nullptr);
    failed = !is_ok(writer->start());
    feed = std::make_unique<Feeder>(*store);
    feed->epoch = result.last.epoch + 1;
    return result;
  }

  // Hands over what was applied; turns of the log until all of it is written.
  void turn(bool idle = false) {
    LogBatch batch;
    while (store->close_batch(feed->sequence - 1, batch)) (void)writer->submit(batch);
    if (idle && store->close_idle(batch)) (void)writer->submit(batch);
    while (writer->has_work()) (void)writer->do_work();
    for (LogReport report; writer->collect(report);) {
      if (!is_ok(report.status)) {
        failed = true;
        continue;
      }
      store->on_batch_synced(report.batch);
      acknowledged = {report.batch.epoch, report.batch.last_sequence};
    }
  }

  std::unique_ptr<Store> store;
  std::unique_ptr<LogWriter> writer;
  std::unique_ptr<Feeder> feed;
  LogPosition acknowledged;
  bool failed = false;

 private:
  FileSystem& files_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_LOG_RIG_H_
