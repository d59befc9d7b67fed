// One record format for ring, log and state transfer.
//
//   header (64 bytes) | extension | key | meta | value | zeros up to a multiple of 64
//
// A sender fills everything but version; in a ring `sequence` is the message's index and header_crc
// is sealed over it. Delivery gives sequence and version and seals the header anew, alike at every
// member, and the record is from then on immutable. All integers are little endian.
//
// Thread: none; plain data.
#ifndef FRESHET_CORE_RECORD_H_
#define FRESHET_CORE_RECORD_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "native/core/limits.h"
#include "native/core/status.h"
#include "native/core/types.h"

namespace freshet {

static_assert(std::endian::native == std::endian::little, "Linux x64 and arm64 only");

enum class RecordKind : uint8_t {
  kNull = 0,     // ring only: `sequence` holds how many nulls it stands for
  kPut = 1,      // a value under a key
  kRemove = 2,   // the key is gone from this version on; has no value
  kTrigger = 3,  // an ordered trigger: takes a version, changes no key
  kControl = 4,  // changes the shard's rules; takes no version
  kRefused = 5,  // log only: a session's request that was refused; keeps the session's answer
  kBlock = 6,    // pair rings only: a piece of a message
  kWrap = 7,     // ring only: skip to the ring's start
  kMark = 8,     // log only: ends a batch; its fields are told below
  kIndex = 9,    // log only: ends a sealed segment; value = IndexEntry[], rebuildable
  kOffer = 10,   // ring only: a large record begins to come as blocks (large_multicast.h)
  kPlace = 11,   // ring only: its place in the order
};

constexpr bool takes_version(RecordKind kind) {
  return kind == RecordKind::kPut || kind == RecordKind::kRemove || kind == RecordKind::kTrigger;
}

// Kinds that are no history, but belong to the log of one member.
constexpr bool is_log_only(RecordKind kind) {
  return kind == RecordKind::kMark || kind == RecordKind::kIndex;
}

// How a kMark uses the header's fields. `sequence` and `epoch` are those last delivered.
//   version     segment up to which, and
//   time        offset within it up to which the log was synced when the batch was closed
//   pool        low 32 bits of the segment that the mark lies in
//   event_time  offset of the mark itself, so that a copy of it elsewhere is no mark
// One entry of a kIndex: where a record of the segment begins.
struct IndexEntry {
  Sequence sequence;
  Epoch epoch;
  uint32_t offset;  // in units of kRecordAlignment
};
static_assert(sizeof(IndexEntry) == 16);

enum RecordFlags : uint8_t {
  kHasCondition = 1,  // extension holds a Condition
  kHasSession = 2,    // extension holds a SessionStamp, after the Condition if both
  kLastBlock = 4,     // of a kBlock: the record is complete with it
  kFirstBlock = 8,
  kWithoutValue = 16,  // of what scans give: the value is left out, `sequence` is its size
};

// What a put demands of the state it meets. A field of kAny is not looked at.
struct Condition {
  static constexpr uint64_t kAny = UINT64_MAX;
  uint64_t version = kAny;         // the shard's newest version
  uint64_t version_of_key = kAny;  // the key's newest version; 0: the key must be absent
  uint64_t epoch = kAny;           // the history these versions belong to

  bool is_set() const { return version != kAny || version_of_key != kAny || epoch != kAny; }
};

// Names one request of one client, so that a retry is applied once.
struct SessionStamp {
  uint64_t session = 0;
  uint64_t request = 0;            // from 1
  uint64_t lowest_unanswered = 0;  // answers below it may be forgotten
};

struct RecordHeader {
  uint32_t header_crc;   // CRC32C of the 60 bytes that follow; made anew at delivery
  uint32_t payload_crc;  // CRC32C of everything after the header, without the padding; the sender's
  uint32_t length;       // bytes from the header to the value's end; the record takes it rounded up
  RecordKind kind;
  uint8_t flags;
  uint16_t key_length;
  uint16_t extension_length;
  uint16_t meta_length;
  ShardId shard;
  Epoch epoch;
  PoolId pool;
  Sequence sequence;  // in a ring: the sender's message index
  Version version;    // 0 for kinds that take none; of blocks: pair_channel.h, large_multicast.h
  Micros time;        // in a ring: the sender's stamp
  Micros event_time;  // kNoTime if the writer gave none
};
static_assert(sizeof(RecordHeader) == 64 && alignof(RecordHeader) == 8);

constexpr size_t padded(size_t length) {
  return (length + kRecordAlignment - 1) & ~(kRecordAlignment - 1);
}

// A record where it lies. Borrowed: valid as long as the bytes are.
class RecordView {
 public:
  explicit RecordView(const std::byte* start) : start_(start) {}

  const RecordHeader& header() const { return *reinterpret_cast<const RecordHeader*>(start_); }
  const std::byte* start() const { return start_; }
  size_t size() const { return padded(header().length); }

  Bytes extension() const { return {start_ + sizeof(RecordHeader), header().extension_length}; }
  std::string_view key() const {
    return {
        reinterpret_cast<const char*>(start_) + sizeof(RecordHeader) + header().extension_length,
        header().key_length};
  }
  Bytes meta() const { return {start_ + key_end(), header().meta_length}; }
  Bytes value() const {
    const size_t begin = key_end() + header().meta_length;
    return {start_ + begin, header().length - begin};
  }
  Bytes payload() const {
    return {start_ + sizeof(RecordHeader), header().length - sizeof(RecordHeader)};
  }

  Condition condition() const {
    Condition result;
    if (header().flags & kHasCondition)
      std::memcpy(&result, start_ + sizeof(RecordHeader), sizeof result);
    return result;
  }
  SessionStamp session() const {
    SessionStamp result;
    if (header().flags & kHasSession)
      std::memcpy(&result,
                  start_ + sizeof(RecordHeader) +
                      ((header().flags & kHasCondition) ? sizeof(Condition) : 0),
                  sizeof result);
    return result;
  }

 private:
  size_t key_end() const {
    return sizeof(RecordHeader) + header().extension_length + header().key_length;
  }

  const std::byte* start_;
};

// A change as its writer gives it. Borrowed bytes, valid during the call that takes it.
struct Change {
  RecordKind kind = RecordKind::kPut;
  PoolId pool = 0;
  Bytes key;
  Bytes meta;
  Bytes value;
  Micros stamp = 0;
  Micros event_time = kNoTime;
  Condition condition;
  SessionStamp session;  // session 0: none
};

// Bytes that the record of `change` takes, without padding.
size_t record_length(const Change& change);

// Writes header and head (extension, key, meta) and value of `change` to `out`, which has room for
// padded(record_length(change)), with payload_crc made. sequence, version and header_crc stay 0.
void encode_record(const Change& change, ShardId shard, Epoch epoch, std::byte* out);

// Of a record: all that lies before its value.
inline size_t head_length(const RecordHeader& header) {
  return sizeof header + header.extension_length + size_t{header.key_length} + header.meta_length;
}

// May a record begin with this, its lengths consistent with each other? Looks at no checksum.
inline bool is_well_formed(const RecordHeader& header) {
  if (static_cast<uint8_t>(header.kind) > static_cast<uint8_t>(RecordKind::kIndex)) return false;
  if (header.length < sizeof header || header.length > kRecordSizeMax) return false;
  if (head_length(header) > header.length) return false;
  if (header.key_length > kKeySizeMax || header.meta_length > kMetaSizeMax) return false;
  size_t extension = 0;
  if (header.flags & kHasCondition) extension += sizeof(Condition);
  if (header.flags & kHasSession) extension += sizeof(SessionStamp);
  return header.extension_length == extension;
}

// Is there a whole one within `bytes`, which are aligned as a record is?
inline bool is_well_formed(Bytes bytes) {
  if (bytes.size() < sizeof(RecordHeader)) return false;
  const RecordHeader& header = RecordView(bytes.data()).header();
  return is_well_formed(header) && padded(header.length) <= bytes.size();
}

bool header_crc_matches(const RecordHeader& header);
void seal_header(RecordHeader& header);  // makes header_crc
bool payload_crc_matches(const RecordView& record);
bool both_crcs_match(const RecordView& record);  // of a record that is well formed

}  // namespace freshet

#endif  // FRESHET_CORE_RECORD_H_
