#include "native/agent/log_recovery.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "native/agent/log_walk.h"
#include "native/core/checksum.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

constexpr uint64_t kFolderMagic = 0x4454415454485346;

// The file "identity" of a data folder.
struct FolderIdentity {
  uint64_t magic;
  uint32_t format;
  uint32_t crc;  // of this struct with crc = 0
  uint64_t cluster;
  uint64_t disk;
};

uint32_t crc_of(FolderIdentity identity) {
  identity.crc = 0;
  return crc32c(&identity, sizeof identity);
}

Status write_identity(FileSystem& files, const std::string& path, uint64_t cluster, uint64_t disk) {
  FolderIdentity identity{};
  identity.magic = kFolderMagic;
  identity.format = kDiskFormat;
  identity.cluster = cluster;
  identity.disk = disk;
  identity.crc = crc_of(identity);
  const std::string made = path + "/identity.new";
  std::unique_ptr<File> file;
  Status status = files.open(made, FileSystem::Mode::kCreate, file);
  if (is_ok(status)) status = file->write_at(0, std::as_bytes(std::span(&identity, 1)));
  if (is_ok(status)) status = file->sync_data();
  if (is_ok(status)) status = files.rename(made, path + "/identity");
  if (is_ok(status)) status = files.sync_folder(path);
  return status;
}

}  // namespace

Status DataFolder::open(FileSystem& files, const std::string& path, uint64_t cluster,
                        uint64_t disk_if_new, std::unique_ptr<DataFolder>& out) {
  Status status = files.make_folder(path);
  if (!is_ok(status)) return status;
  std::unique_ptr<DataFolder> folder(new DataFolder);
  status = files.lock(path + "/lock", folder->lock_);
  if (!is_ok(status)) return status;

  std::unique_ptr<File> file;
  status = files.open(path + "/identity", FileSystem::Mode::kRead, file);
  if (status == Status::kNotFound) {
    status = write_identity(files, path, cluster, disk_if_new);
    folder->disk_ = disk_if_new;
  } else if (is_ok(status)) {
    FolderIdentity identity;
    status = file->read_at(0, std::as_writable_bytes(std::span(&identity, 1)));
    if (!is_ok(status) || identity.magic != kFolderMagic) return Status::kLogCorrupt;
    if (identity.format > kDiskFormat) return Status::kNewerFormat;
    if (identity.crc != crc_of(identity)) return Status::kLogCorrupt;
    if (identity.cluster != cluster) return Status::kWrongCluster;
    folder->disk_ = identity.disk;
  }
  if (is_ok(status)) out = std::move(folder);
  return status;
}

namespace {

// Ends the log at (segment, offset). Later segments go first, the last of them first, so that a
// crash in between leaves a log that is whole up to where it ends.
Status cut_log(FileSystem& files, const std::string& folder, const std::vector<uint64_t>& segments,
               uint64_t segment, uint64_t offset, uint64_t& cut_bytes) {
  for (size_t i = segments.size(); i-- > 0;) {
    const std::string path = folder + "/" + segment_name(segments[i]);
    std::unique_ptr<File> file;
    uint64_t size = 0;
    Status status = files.open(path, FileSystem::Mode::kReadWrite, file);
    if (is_ok(status)) status = file->size(size);
    if (!is_ok(status)) return status;
    if (segments[i] > segment || (segments[i] == segment && offset < kDiskHeaderSize)) {
      file.reset();
      cut_bytes += size;
      status = files.remove(path);
      if (is_ok(status)) status = files.sync_folder(folder);
    } else if (segments[i] == segment && size > offset) {
      cut_bytes += size - offset;
      status = file->truncate(offset);
      if (is_ok(status)) status = file->sync_data();
    }
    if (!is_ok(status)) return status;
  }
  return Status::kOk;
}

}  // namespace

RecoveryResult recover_log(FileSystem& files, const RecoveryConfig& config, Store& store) {
  RecoveryResult result;
  const ShardId shard = store.config().shard;
  const std::string folder = shard_folder(config.data, shard);

  LogWalk walk(files, folder, config.cluster, shard);
  result.status = walk.open();
  if (result.status == Status::kNotFound) {
    result.status = Status::kOk;
    return result;
  }
  const auto take = [&](const RecordView& record, uint64_t segment, uint64_t offset) {
    const RecordHeader& header = record.header();
    if (config.cut_after && LogPosition{header.epoch, header.sequence} > *config.cut_after)
      return LogWalk::Verdict::kStop;
    if (config.cut_at &&
        LogPlace{segment, offset} >= LogPlace{config.cut_at->segment, config.cut_at->offset})
      return LogWalk::Verdict::kStop;
    const Status status = store.restore(record, Store::DurableAt{segment, offset});
    if (!is_ok(status)) return LogWalk::Verdict::kDamaged;
    result.bytes += record.size();
    if (header.kind != RecordKind::kMark && header.kind != RecordKind::kIndex) result.records++;
    return LogWalk::Verdict::kGoOn;
  };
  if (is_ok(result.status)) result.status = walk.run(take);
  result.segment = walk.segment();
  result.offset = walk.offset();
  result.last = store.last_position();
  if (!is_ok(result.status)) return result;
  // What was read is not known to be on disk: a process that died may have left it in the cache.
  if (walk.has_tail()) {
    result.status =
        cut_log(files, folder, walk.segments(), walk.segment(), walk.offset(), result.cut_bytes);
  }
  if (is_ok(result.status)) result.status = walk.sync_last();
  return result;
}

}  // namespace freshet
