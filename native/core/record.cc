#include "native/core/record.h"

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

bool is_well_formed(Bytes bytes) {
  if (bytes.size() < sizeof(RecordHeader)) return false;
  RecordHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (static_cast<uint8_t>(header.kind) > static_cast<uint8_t>(RecordKind::kIndex)) return false;
  if (header.length < sizeof header || header.length > kRecordSizeMax) return false;
  if (padded(header.length) > bytes.size()) return false;
  const size_t head =
      sizeof header + header.extension_length + size_t{header.key_length} + header.meta_length;
  if (head > header.length) return false;
  if (header.key_length > kKeySizeMax || header.meta_length > kMetaSizeMax) return false;
  size_t extension = 0;
  if (header.flags & kHasCondition) extension += sizeof(Condition);
  if (header.flags & kHasSession) extension += sizeof(SessionStamp);
  return header.extension_length == extension;
}

bool header_crc_matches(const RecordHeader& header) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&header);
  return header.header_crc ==
         crc32c(bytes + sizeof header.header_crc, sizeof header - sizeof header.header_crc);
}

void seal_header(RecordHeader& header) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&header);
  header.header_crc =
      crc32c(bytes + sizeof header.header_crc, sizeof header - sizeof header.header_crc);
}

bool payload_crc_matches(const RecordView& record) {
  const Bytes payload = record.payload();
  return record.header().payload_crc == crc32c(payload.data(), payload.size());
}

}  // namespace freshet
