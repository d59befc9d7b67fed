// The sessions of a shard: which requests were applied, and what they were answered.
//
// Part of the shard's ordered state: two tables that were shown the same requests in the same order
// are equal, so a retry is applied once wherever it arrives.
//
// A request is known by its answer until the client says that it has it (`lowest_unanswered`) or
// kSessionWindow newer answers are kept. At most kSessionsMax sessions are kept; the one used
// longest ago makes room, and its id is remembered for kEvictedSessionsMax further evictions, so
// that a late retry is refused and not applied again.
//
// Thread: the store's writer.
// Invariants
//  1. look_up() changes nothing: what is not logged has no effect.
//  2. A request is recorded at most once.
#ifndef FRESHET_CORE_SESSION_TABLE_H_
#define FRESHET_CORE_SESSION_TABLE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "native/core/limits.h"
#include "native/core/record.h"
#include "native/core/status.h"
#include "native/core/types.h"

namespace freshet {

struct SessionAnswer {
  uint64_t request = 0;
  Version version = 0;  // given, or with a failed condition the key's newest one
  Micros time = 0;
  Epoch epoch = 0;
  Status status = Status::kOk;
};

class SessionTable {
 public:
  explicit SessionTable(size_t sessions_max = kSessionsMax,
                        size_t evicted_max = kEvictedSessionsMax);
  ~SessionTable();

  enum class Seen : uint8_t { kNew, kRepeat, kExpired };
  Seen look_up(const SessionStamp& stamp, SessionAnswer& answer) const;
  // `stamp` was kNew and has been answered.
  void record(const SessionStamp& stamp, const SessionAnswer& answer);

  size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  uint64_t digest() const;  // of everything that look_up() depends on

  static constexpr size_t kSessionWords = 3;  // of u64, without its answers
  static constexpr size_t kAnswerWords = 4;
  static constexpr size_t kPieceMin = 3 * sizeof(uint64_t);  // bytes of a piece without entries
  static constexpr size_t kEntryMax =
      (kSessionWords + kAnswerWords * kSessionWindow) * sizeof(uint64_t);
  // Sessions and evicted ids, one after the other.
  size_t entries() const { return count_ + evicted_ring_.size(); }
  // A piece for a member whose history does not hold every request (native/README.md): what
  // follows the first `entries` of them, whole ones, in at most `size_max` bytes. `entries` is then
  // how many there are up to its end.
  std::vector<std::byte> encode(size_t& entries, size_t size_max) const;
  static bool begins(Bytes piece);  // is it the first?
  // Adds a piece to a table that is made of them. False: it is none, or does not go on from the one
  // before; this table is of no use then.
  bool add(Bytes piece);
  void take(SessionTable&& other);  // in place of what is here

 private:
  struct Session;
  class IdMap;

  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t make_session(uint64_t id);
  void note_evicted(uint64_t id);
  uint64_t evicted(size_t nth) const;  // in the order of their eviction
  void unlink(uint32_t index);
  void link_newest(uint32_t index);

  const size_t sessions_max_;
  const size_t evicted_max_;
  std::vector<Session> sessions_;
  std::unique_ptr<IdMap> ids_;
  std::unique_ptr<IdMap> evicted_;
  std::vector<uint64_t> evicted_ring_;  // once it is full, by evicted_count_ mod its size
  size_t evicted_count_ = 0;
  size_t count_ = 0;
  uint32_t newest_ = kNone;  // list in order of last use
  uint32_t oldest_ = kNone;
};

}  // namespace freshet

#endif  // FRESHET_CORE_SESSION_TABLE_H_
