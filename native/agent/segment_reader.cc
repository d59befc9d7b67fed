#include "native/agent/segment_reader.h"

#include <algorithm>
#include <cstring>

#include "native/agent/log_segment.h"
#include "native/core/check.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

// Fits the second level of a processor's cache, with room for the store's tables.
constexpr uint64_t kPieceSize = uint64_t{256} << 10;

constexpr uint64_t whole_pieces(uint64_t size) {
  return (size + kPieceSize - 1) / kPieceSize * kPieceSize;
}

}  // namespace

Status SegmentReader::open(FileSystem& files, const std::string& folder, uint64_t segment) {
  Status status = files.open(folder + "/" + segment_name(segment), FileSystem::Mode::kRead, file_);
  if (is_ok(status)) status = file_->size(size_);
  if (is_ok(status) && size_ > kSegmentFileMax) status = Status::kLogCorrupt;
  memory_ = own_;
  base_ = loaded_ = 0;
  return status;
}

void SegmentReader::use_room(MutableBytes room) {
  FRESHET_CHECK_VALUES(room.size() >= size_ && loaded_ == 0, room.size(), size_);
  memory_ = room;
}

Status SegmentReader::read(uint64_t offset, uint64_t size_min, Bytes& out) {
  FRESHET_CHECK_VALUES(offset >= base_ && offset % kRecordAlignment == 0, offset, base_);
  out = {};
  const uint64_t wanted = std::min(size_, offset + size_min);
  if (wanted > loaded_) {
    if (wanted - base_ > memory_.size()) move_on_to(offset, size_min);
    if (const Status status = load(wanted); !is_ok(status)) return status;
  }
  if (offset < loaded_) out = memory_.subspan(offset - base_, loaded_ - offset);
  return Status::kOk;
}

Status SegmentReader::pass(uint64_t offset, uint64_t size, const std::function<void(Bytes)>& see) {
  for (const uint64_t end = offset + size; offset < end;) {
    Bytes piece;
    const Status status = read(offset, std::min(kPieceSize, end - offset), piece);
    if (!is_ok(status) || piece.empty()) return status;
    piece = piece.first(std::min<uint64_t>(piece.size(), end - offset));
    see(piece);
    offset += piece.size();
  }
  return Status::kOk;
}

// Reads on until the file's bytes up to `end` are there.
Status SegmentReader::load(uint64_t end) {
  const uint64_t room_end = std::min(size_, base_ + memory_.size());
  const uint64_t to = std::min(room_end, loaded_ + whole_pieces(end - loaded_));
  const Status status = file_->read_at(loaded_, memory_.subspan(loaded_ - base_, to - loaded_));
  if (is_ok(status)) loaded_ = to;
  return status;
}

// Memory of its own is used again for what begins at `offset`.
void SegmentReader::move_on_to(uint64_t offset, uint64_t size_min) {
  const uint64_t kept = offset < loaded_ ? loaded_ - offset : 0;
  if (kept > 0) std::memmove(own_.data(), own_.data() + (offset - base_), kept);
  own_.resize(std::max<uint64_t>(own_.size(), whole_pieces(size_min)));
  memory_ = own_;
  base_ = offset;
  loaded_ = offset + kept;
}

}  // namespace freshet
