#include "native/core/sender_stream.h"

#include <cstring>

#include "native/core/check.h"
#include "native/core/checksum.h"
#include "native/core/large_multicast.h"
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

RingFault SenderStream::take(uint64_t tail, size_t bytes_max, LargeMulticast& large, size_t s) {
  if (tail % kRecordAlignment != 0 || tail > deliver_.position() + ring_size_)
    return RingFault::kTail;
  uint64_t enough = take_.position() + bytes_max;
  while (take_.position() < tail && take_.position() < enough) {
    const size_t available = take_.available(tail);
    const RecordHeader header = take_.header();  // a copy: the peer may write over it
    const RingFault fault = judge_header(header, available, shard_, epoch_);
    if (fault != RingFault::kNone) return fault;
    if (!header_crc_matches(header)) return RingFault::kChecksum;
    if (header.kind == RecordKind::kWrap) {
      if (take_.next_start() > tail) return RingFault::kLength;
      // What is left out is no work: whoever ended with it would wait for more to come.
      enough += take_.next_start() - take_.position();
      take_.move_to(take_.next_start());
      continue;
    }
    bool waits = false;
    const RingFault bad = take_record(header, large, s, waits);
    if (bad != RingFault::kNone || waits) return bad;
  }
  return RingFault::kNone;
}

RingFault SenderStream::take_record(const RecordHeader& header, LargeMulticast& large, size_t s,
                                    bool& waits) {
  if (header.kind == RecordKind::kNull) {
    // A sender is at most a ring of messages ahead of what it owed; so are those it reacts to.
    const uint64_t nulls = static_cast<uint64_t>(header.sequence);
    const uint64_t nulls_max = kMembersMax * (ring_size_ / kRecordAlignment + 1);
    if (nulls == 0 || nulls > nulls_max) return RingFault::kNulls;
    received_ += nulls;
  } else {
    if (static_cast<uint64_t>(header.sequence) != received_) return RingFault::kIndex;
    const RingFault fault = header.kind == RecordKind::kPlace
                                ? large.take_place(s, header, waits)
                                : take_change(header, large, s, waits);
    if (fault != RingFault::kNone || waits) return fault;
    received_++;
    changes_ = received_;
  }
  take_.advance(padded(header.length));
  return received_ <= kMessageCountMax ? RingFault::kNone : RingFault::kIndex;
}

RingFault SenderStream::take_change(const RecordHeader& header, LargeMulticast& large, size_t s,
                                    bool& waits) {
  const std::byte* payload = take_.data() + sizeof(RecordHeader);
  if (crc32c(payload, header.length - sizeof(RecordHeader)) != header.payload_crc)
    return RingFault::kChecksum;
  Micros time = header.time;
  if (header.kind == RecordKind::kOffer) {
    const RingFault fault = large.take_offer(s, header, payload, waits, time);
    if (fault != RingFault::kNone || waits) return fault;
  }
  if (time > newest_time_) newest_time_ = time;
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
