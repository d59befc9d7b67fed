#include "native/agent/log_recovery.h"

#include <algorithm>
#include <cstring>
#include <span>
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
    // An older version must not take what this one writes for damage.
    if (identity.format < kDiskFormat) status = write_identity(files, path, cluster, identity.disk);
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

// Gives a log to its store, record by record.
class Restorer final : public LogTaker {
 public:
  // Segments below `resident_from` hold more than the store keeps in memory.
  Restorer(const RecoveryConfig& config, Store& store, uint64_t resident_from,
           RecoveryResult& result)
      : config_(config), store_(store), resident_from_(resident_from), result_(result) {}

  bool has_stopped() const { return has_stopped_; }

  MutableBytes room(uint64_t segment, uint64_t file_size) override {
    return store_.restore_room(segment, file_size, segment >= resident_from_);
  }

  Verdict take(std::span<const RecordView> run, uint64_t segment, uint64_t& offset) override {
    const auto kept = run.first(count_before_cut(run, segment, offset));
    size_t taken = 0;
    const Status status = store_.restore_run(kept, Store::DurableAt{segment, offset}, taken);
    if (taken > 0) {
      const RecordView& last = kept[taken - 1];
      const auto bytes = static_cast<uint64_t>(last.start() - kept[0].start()) + last.size();
      offset += bytes;
      result_.bytes += bytes;
      if (!is_log_only(last.header().kind)) result_.records += taken;
    }
    if (!is_ok(status)) return Verdict::kDamaged;
    has_stopped_ = kept.size() < run.size();
    return has_stopped_ ? Verdict::kStop : Verdict::kGoOn;
  }

 private:
  size_t count_before_cut(std::span<const RecordView> run, uint64_t segment,
                          uint64_t offset) const {
    if (!config_.cut_after && !config_.cut_at) return run.size();
    for (size_t i = 0; i < run.size(); i++) {
      const LogPlace place{segment, offset};
      if (config_.cut_after && position_of(run[i].header()) > *config_.cut_after) return i;
      if (config_.cut_at && place >= LogPlace{config_.cut_at->segment, config_.cut_at->offset})
        return i;
      offset += run[i].size();
    }
    return run.size();
  }

  const RecoveryConfig& config_;
  Store& store_;
  const uint64_t resident_from_;
  RecoveryResult& result_;
  bool has_stopped_ = false;
};

// Does the log end below what was synced, without having been cut there?
bool lacks_synced(const RecoveryConfig& config, const LogWalk& walk, const Restorer& restorer) {
  if (restorer.has_stopped() || !config.cut_at || config.cut_at->offset <= kDiskHeaderSize)
    return false;
  const LogPlace end{walk.segment(), walk.offset()};
  return end < LogPlace{config.cut_at->segment, config.cut_at->offset};
}

// The first segment that memory has room for, with all behind it; at least the last one.
Status find_resident(FileSystem& files, const std::string& folder,
                     const std::vector<uint64_t>& segments, uint64_t segment_size,
                     uint64_t bytes_max, uint64_t& out) {
  uint64_t bytes = 0;
  for (size_t i = segments.size(); i-- > 0;) {
    SegmentReader reader;
    const Status status = reader.open(files, folder, segments[i]);
    if (status == Status::kLogCorrupt) break;  // the walk names it
    if (!is_ok(status)) return status;
    bytes += std::max(reader.size(), segment_size);
    if (bytes > bytes_max && i + 1 < segments.size()) break;
    out = segments[i];
  }
  return Status::kOk;
}

// The log may end below what was thought to stay in memory, as what lay behind was torn: its last
// segment goes on, and has to be there.
Status fill_head(FileSystem& files, const std::string& folder, const LogWalk& walk, Store& store) {
  SegmentReader reader;
  Status status = reader.open(files, folder, walk.segment());
  if (!is_ok(status)) return status;
  const MutableBytes room = store.restore_room(walk.segment(), reader.size(), true);
  reader.use_room(room);
  Bytes bytes;
  return reader.read(0, walk.offset(), bytes);
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
  uint64_t resident_from = 0;
  if (is_ok(result.status)) {
    const uint64_t bytes_max = std::min<uint64_t>(config.resident_max, store.config().memory_max);
    result.status = find_resident(files, folder, walk.segments(), store.config().segment_size,
                                  bytes_max, resident_from);
  }
  Restorer restorer(config, store, resident_from, result);
  if (is_ok(result.status)) result.status = walk.run(restorer);
  store.end_restore();
  result.segment = walk.segment();
  result.offset = walk.offset();
  result.last = store.last_position();
  const bool is_cut = result.status == Status::kLogCorrupt && result.last == config.cut_after;
  if (is_cut) result.status = Status::kOk;
  if (is_ok(result.status) && lacks_synced(config, walk, restorer))
    result.status = Status::kLogCorrupt;
  if (is_ok(result.status) && walk.segment() < resident_from && walk.offset() > kDiskHeaderSize)
    result.status = fill_head(files, folder, walk, store);
  if (!is_ok(result.status)) return result;
  // What was read is not known to be on disk: a process that died may have left it in the cache.
  if (walk.has_tail() || is_cut) {
    result.status =
        cut_log(files, folder, walk.segments(), walk.segment(), walk.offset(), result.cut_bytes);
  }
  if (is_ok(result.status)) result.status = walk.sync_last();
  return result;
}

}  // namespace freshet
