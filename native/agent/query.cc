#include "native/agent/query.h"

#include <algorithm>
#include <cstring>

#include "native/agent/scan.h"

namespace freshet {

QueryRunner::QueryRunner(FileSystem* files, std::string data, Stop stop)
    : files_(files), data_(std::move(data)), stop_(std::move(stop)) {}

LogReader* QueryRunner::reader_of(ShardId shard) {
  if (files_ == nullptr) return nullptr;
  auto& reader = logs_[shard];
  if (reader == nullptr) reader = std::make_unique<LogReader>(*files_, data_, shard);
  return reader.get();
}

Status QueryRunner::scan(const ShardView& view, const ScanRequest& request,
                         std::vector<std::byte>& out) {
  const ShardReaders::Access access = readers_.access(view);
  if (access.store == nullptr) return Status::kNotAMember;
  if (access.reader == nullptr) return Status::kOverloaded;
  LogReader* cold = view.persistent() ? reader_of(view.id()) : nullptr;
  Scan scan({view, *access.store, *access.reader, cold, stop_}, request, out);
  return scan.run();
}

Status QueryRunner::read_cold(ShardId shard, uint64_t segment, uint64_t offset, uint32_t length,
                              std::vector<std::byte>& out) {
  LogReader* reader = reader_of(shard);
  return reader == nullptr ? Status::kInvalidArgument : reader->read(segment, offset, length, out);
}

Status QueryRunner::read_version(const ShardView& view, Version version, uint64_t from,
                                 uint64_t size_max, std::vector<std::byte>& out) {
  const ShardReaders::Access access = readers_.access(view);
  if (access.store == nullptr) return Status::kNotAMember;
  if (access.reader == nullptr) return Status::kOverloaded;
  Found found;
  {
    const Store::ReadGuard guard(*access.reader);
    found = access.store->get_version(version);
    if (is_ok(found.status) && found.record != nullptr) {
      const Bytes record{found.record, RecordView(found.record).size()};
      const Bytes rest = record.subspan(std::min<uint64_t>(from, record.size()));
      const Bytes given = rest.first(std::min<uint64_t>(size_max, rest.size()));
      out.assign(given.begin(), given.end());
      return Status::kOk;
    }
  }
  LogReader* reader = view.persistent() ? reader_of(view.id()) : nullptr;
  if (found.status != Status::kCold || reader == nullptr) return found.status;
  if (from == 0 && size_max >= found.cold_length)
    return reader->read(found.cold_segment, found.cold_offset, found.cold_length, out);
  return reader->read_part(found.cold_segment, found.cold_offset, from, size_max, out);
}

Status QueryRunner::read_log(ShardId shard, LogPosition after, size_t size_max,
                             std::vector<std::byte>& out) {
  LogReader* reader = reader_of(shard);
  if (reader == nullptr) return Status::kInvalidArgument;
  out.resize(size_max);
  size_t used = 0;
  LogPosition last;
  const Status status = reader->read_log(after, out, used, last);
  out.resize(used);
  return status;
}

Status QueryRunner::read_piece(ShardId shard, LogPosition after, uint64_t from,
                               std::vector<std::byte>& out) {
  LogReader* reader = reader_of(shard);
  if (reader == nullptr) return Status::kInvalidArgument;
  size_t used = 0;
  const Status status = reader->read_piece(after, from, out, used);
  out.resize(used);
  return status;
}

LogPlace QueryRunner::damage(ShardId shard) const {
  const auto found = logs_.find(shard);
  return found == logs_.end() ? LogPlace{} : found->second->damage();
}

std::optional<uint64_t> QueryRunner::take_segment(ShardId shard) {
  const auto found = logs_.find(shard);
  return found == logs_.end() ? std::nullopt : found->second->take_segment();
}

std::optional<Store::DurableAt> QueryRunner::place_of(const ShardView& view, Version version) {
  const ShardReaders::Access access = readers_.access(view);
  if (access.reader == nullptr) return std::nullopt;
  access.reader->enter();
  const auto place = access.store->place_of(version);
  access.reader->leave();
  return place;
}

}  // namespace freshet
