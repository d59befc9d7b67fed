#include "native/core/sender_stream.h"

#include <cstring>

#include "native/core/check.h"
#include "native/core/checksum.h"
#include "native/core/order.h"

namespace freshet {

SenderStream::SenderStream(const std::byte* ring, size_t ring_size, ShardId shard, Epoch epoch,
                           bool own)
    : shard_(shard),
      epoch_(epoch),
      own_(own),
      ring_size_(ring_size),
      take_(ring, ring_size),
      deliver_(ring, ring_size) {}

void SenderStream::take_own(uint64_t tail, uint64_t messages) {
  take_.move_to(tail);
  received_ = messages;
}

RingFault SenderStream::take(uint64_t tail, size_t bytes_max) {
  if (tail % kRecordAlignment != 0 || tail > deliver_.position() + ring_size_)
    return RingFault::kTail;
  const uint64_t enough = take_.position() + bytes_max;
  while (take_.position() < tail && take_.position() < enough) {
    const size_t available = take_.available(tail);
    const RecordHeader header = take_.header();  // a copy: the peer may write over it
    const RingFault fault = judge_header(header, available, shard_, epoch_);
    if (fault != RingFault::kNone) return fault;
    if (!header_crc_matches(header)) return RingFault::kChecksum;
    if (header.kind == RecordKind::kWrap) {
      if (take_.next_start() > tail) return RingFault::kLength;
      take_.move_to(take_.next_start());
      continue;
    }
    const RingFault bad = take_record(header);
    if (bad != RingFault::kNone) return bad;
  }
  return RingFault::kNone;
}

RingFault SenderStream::take_record(const RecordHeader& header) {
  RingFault fault = RingFault::kNone;
  if (header.kind == RecordKind::kNull) {
    // A sender is at most a ring of messages ahead of what it owed; so are those it reacts to.
    const uint64_t nulls = static_cast<uint64_t>(header.sequence);
    const uint64_t nulls_max = kMembersMax * (ring_size_ / kRecordAlignment + 1);
    if (nulls == 0 || nulls > nulls_max) return RingFault::kNulls;
    received_ += nulls;
  } else {
    if (static_cast<uint64_t>(header.sequence) != received_) return RingFault::kIndex;
    fault = header.kind == RecordKind::kBlock ? take_block(header) : take_change(header);
    received_++;
    changes_ = received_;
  }
  take_.advance(padded(header.length));
  return received_ <= kMessageCountMax ? fault : RingFault::kIndex;
}

RingFault SenderStream::take_change(const RecordHeader& header) {
  if (whole_length_ != 0) return RingFault::kBlock;
  const uint32_t crc =
      crc32c(take_.data() + sizeof(RecordHeader), header.length - sizeof(RecordHeader));
  if (crc != header.payload_crc) return RingFault::kChecksum;
  if (header.time > newest_time_) newest_time_ = header.time;
  return RingFault::kNone;
}

RingFault SenderStream::start_blocks(const RecordHeader& header) {
  if (whole_length_ != 0 || !(header.flags & kFirstBlock)) return RingFault::kBlock;
  if (header.length < 2 * sizeof(RecordHeader)) return RingFault::kBlock;
  RecordHeader whole;
  std::memcpy(&whole, take_.data() + sizeof(RecordHeader), sizeof whole);
  if (!header_crc_matches(whole)) return RingFault::kChecksum;
  if (whole.length != header.version || !is_change(whole.kind) || !parts_fit(whole))
    return RingFault::kBlock;
  if (whole.shard != shard_ || whole.epoch != epoch_) return RingFault::kEpoch;
  if (whole.time < 0 || whole.time > kTimeMax) return RingFault::kTime;
  if (whole.time > newest_time_) newest_time_ = whole.time;
  whole_length_ = header.version;
  whole_taken_ = 0;
  whole_crc_ = 0;
  return RingFault::kNone;
}

RingFault SenderStream::take_block(const RecordHeader& header) {
  const std::byte* piece = take_.data() + sizeof(RecordHeader);
  const size_t size = header.length - sizeof(RecordHeader);
  size_t skip = 0;  // the whole record's own header is not under its payload_crc
  if (header.flags & kFirstBlock) {
    const RingFault fault = start_blocks(header);
    if (fault != RingFault::kNone) return fault;
    skip = sizeof(RecordHeader);
  }
  if (whole_length_ == 0 || header.version != whole_length_) return RingFault::kBlock;
  whole_taken_ += size;
  if (whole_taken_ > whole_length_) return RingFault::kBlock;
  const bool last = (header.flags & kLastBlock) != 0;
  if (last != (whole_taken_ == whole_length_)) return RingFault::kBlock;
  whole_crc_ = crc32c(piece + skip, size - skip, whole_crc_);
  if (whole_crc_ != header.payload_crc) return RingFault::kChecksum;
  if (last) whole_length_ = 0;
  return RingFault::kNone;
}

RingFault SenderStream::next(const std::byte*& record) {
  record = nullptr;
  if (nulls_left_ > 0) {
    nulls_left_--;
    delivered_++;
    return RingFault::kNone;
  }
  if (deliver_.position() < taken() && deliver_.header().kind == RecordKind::kWrap) {
    if (deliver_.next_start() > taken()) return RingFault::kLength;
    deliver_.move_to(deliver_.next_start());
  }
  const RecordHeader header = deliver_.header();
  if (!own_) {
    const RingFault fault = judge_header(header, deliver_.available(taken()), shard_, epoch_);
    if (fault != RingFault::kNone) return fault;
    if (header.kind == RecordKind::kWrap) return RingFault::kKind;
  }
  if (header.kind == RecordKind::kNull) {
    const uint64_t nulls = static_cast<uint64_t>(header.sequence);
    if (!own_ && (nulls == 0 || nulls > received_ - delivered_)) return RingFault::kNulls;
    nulls_left_ = nulls - 1;
  } else {
    if (!own_ && static_cast<uint64_t>(header.sequence) != delivered_) return RingFault::kIndex;
    record = deliver_.data();
  }
  deliver_.advance(padded(header.length));
  delivered_++;
  return RingFault::kNone;
}

}  // namespace freshet
