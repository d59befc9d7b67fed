#include "native/core/record.h"

#include <span>

#include "native/core/checksum.h"

namespace freshet {
namespace {

size_t extension_length_of(const Change& change) {
  return (change.condition.is_set() ? sizeof(Condition) : 0) +
         (change.session.session != 0 ? sizeof(SessionStamp) : 0);
}

std::byte* put_bytes(std::byte* out, const void* from, size_t size) {
  if (size > 0) std::memcpy(out, from, size);
  return out + size;
}

// Of a longer record the payload alone keeps the processor busy.
constexpr uint32_t kShortLength = 4096;

// What header_crc covers.
Bytes sealed_bytes(const RecordHeader& header) {
  return std::as_bytes(std::span(&header, 1)).subspan(sizeof header.header_crc);
}

}  // namespace

size_t record_length(const Change& change) {
  return sizeof(RecordHeader) + extension_length_of(change) + change.key.size() +
         change.meta.size() + change.value.size();
}

void encode_record(const Change& change, ShardId shard, Epoch epoch, std::byte* out) {
  const size_t length = record_length(change);
  RecordHeader header{};
  header.length = static_cast<uint32_t>(length);
  header.kind = change.kind;
  header.key_length = static_cast<uint16_t>(change.key.size());
  header.meta_length = static_cast<uint16_t>(change.meta.size());
  header.extension_length = static_cast<uint16_t>(extension_length_of(change));
  header.shard = shard;
  header.epoch = epoch;
  header.pool = change.pool;
  header.time = change.stamp;
  header.event_time = change.event_time;

  std::byte* at = out + sizeof header;
  if (change.condition.is_set()) {
    header.flags |= kHasCondition;
    at = put_bytes(at, &change.condition, sizeof change.condition);
  }
  if (change.session.session != 0) {
    header.flags |= kHasSession;
    at = put_bytes(at, &change.session, sizeof change.session);
  }
  at = put_bytes(at, change.key.data(), change.key.size());
  at = put_bytes(at, change.meta.data(), change.meta.size());
  at = put_bytes(at, change.value.data(), change.value.size());
  std::memset(at, 0, padded(length) - length);

  header.payload_crc = crc32c(out + sizeof header, length - sizeof header);
  std::memcpy(out, &header, sizeof header);
}

bool header_crc_matches(const RecordHeader& header) {
  const Bytes sealed = sealed_bytes(header);
  return header.header_crc == crc32c(sealed.data(), sealed.size());
}

void seal_header(RecordHeader& header) {
  const Bytes sealed = sealed_bytes(header);
  header.header_crc = crc32c(sealed.data(), sealed.size());
}

bool payload_crc_matches(const RecordView& record) {
  const Bytes payload = record.payload();
  return record.header().payload_crc == crc32c(payload.data(), payload.size());
}

bool both_crcs_match(const RecordView& record) {
  const RecordHeader& header = record.header();
  // A length that may be wrong costs little.
  if (header.length > kShortLength)
    return header_crc_matches(header) && payload_crc_matches(record);
  const Crc32cPair made = crc32c_both(sealed_bytes(header), record.payload());
  return header.header_crc == made.first && header.payload_crc == made.second;
}

}  // namespace freshet
