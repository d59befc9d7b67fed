// Records for tests, made in one line.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_RECORDS_H_
#define FRESHET_TEST_NATIVE_SUPPORT_RECORDS_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "native/core/record.h"
#include "native/core/store/store.h"

namespace freshet::test {

inline Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Change put_of(PoolId pool, std::string_view key, std::string_view value, Micros stamp = 0) {
  Change change;
  change.pool = pool;
  change.key = bytes_of(key);
  change.value = bytes_of(value);
  change.stamp = stamp;
  return change;
}

inline std::vector<std::byte> encode(const Change& change, ShardId shard = 1, Epoch epoch = 1) {
  std::vector<std::byte> out(padded(record_length(change)));
  encode_record(change, shard, epoch, out.data());
  return out;
}

// Applies changes to a store with ascending sequences, as delivery would.
class Feeder {
 public:
  explicit Feeder(Store& store) : store_(store) {}

  Applied apply(const Change& change) {
    const auto record = encode(change, store_.config().shard, epoch);
    return store_.apply(RecordView(record.data()), epoch, sequence++);
  }
  Applied put(std::string_view key, std::string_view value, Micros stamp = 0) {
    return apply(put_of(1, key, value, stamp));
  }
  // As blocks bring it: into memory that was taken before.
  Applied put_large(std::string_view key, std::string_view value) {
    return apply_large(put_of(1, key, value));
  }
  Applied apply_large(const Change& change) {
    const auto record = encode(change, store_.config().shard, epoch);
    const size_t length = RecordView(record.data()).header().length;
    std::ranges::copy(record, store_.reserve_large(0, length).begin());
    return store_.apply_large(0, epoch, sequence++);
  }
  Applied remove(std::string_view key) {
    Change change = put_of(1, key, "");
    change.kind = RecordKind::kRemove;
    return apply(change);
  }
  Applied trigger(std::string_view key, std::string_view value) {
    Change change = put_of(1, key, value);
    change.kind = RecordKind::kTrigger;
    return apply(change);
  }
  Applied rules(const PoolRules& rules) {
    const std::string key = "pool/" + std::to_string(rules.pool);
    Change change = put_of(0, key, "");
    change.kind = RecordKind::kControl;
    change.value = std::as_bytes(std::span(&rules, 1));
    return apply(change);
  }
  Applied pool(PoolId id, uint32_t history = 128) {
    PoolRules given;
    given.pool = id;
    given.history = history;
    return rules(given);
  }

  Epoch epoch = 1;
  Sequence sequence = 0;

 private:
  Store& store_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_RECORDS_H_
