// Operating failures as values. The numbers are read by platform/bridge at load; the text of an
// error is made there, from its code and the values at hand.
#ifndef FRESHET_CORE_STATUS_H_
#define FRESHET_CORE_STATUS_H_

#include <cstdint>

namespace freshet {

// Never renumber: codes cross the wire.
#define FRESHET_STATUS_CODES(X)                                                    \
  X(kOk, 0, "OK")                                                                  \
  X(kNotFound, 1, "NOT_FOUND")                                                     \
  X(kUnknownPool, 2, "UNKNOWN_POOL")                                               \
  X(kConditionFailed, 3, "CONDITION_FAILED")                                       \
  X(kOverloaded, 4, "OVERLOADED")                                                  \
  X(kShardStopped, 5, "SHARD_STOPPED")                                             \
  X(kNotCurrent, 6, "NOT_CURRENT")                                                 \
  X(kNotAMember, 7, "NOT_A_MEMBER")                                                \
  X(kCompacted, 8, "COMPACTED")                                                    \
  X(kCold, 9, "COLD") /* on disk: ask the query thread; never leaves the bridge */ \
  X(kInvalidKey, 10, "INVALID_KEY")                                                \
  X(kKeyTooLong, 11, "KEY_TOO_LONG")                                               \
  X(kValueTooLarge, 12, "VALUE_TOO_LARGE")                                         \
  X(kSessionExpired, 13, "SESSION_EXPIRED")                                        \
  X(kDiskFull, 14, "DISK_FULL")                                                    \
  X(kDiskFailed, 15, "DISK_FAILED")                                                \
  X(kLogCorrupt, 16, "LOG_CORRUPT")                                                \
  X(kNewerFormat, 17, "NEWER_FORMAT")                                              \
  X(kWrongCluster, 18, "WRONG_CLUSTER")                                            \
  X(kDataInUse, 19, "DATA_IN_USE")                                                 \
  X(kClosed, 20, "CLOSED")                                                         \
  X(kTimeout, 21, "TIMEOUT")                                                       \
  X(kInvalidArgument, 22, "INVALID_ARGUMENT")                                      \
  X(kUnauthenticated, 23, "UNAUTHENTICATED")                                       \
  X(kPeerUnreachable, 24, "PEER_UNREACHABLE")                                      \
  X(kAddressInUse, 25, "ADDRESS_IN_USE")                                           \
  X(kInvalidQuery, 26, "INVALID_QUERY")                                            \
  X(kWrongTransport, 27, "WRONG_TRANSPORT")                                        \
  X(kNoFabric, 28, "NO_FABRIC")                                                    \
  X(kUnorderedFabric, 29, "UNORDERED_FABRIC")                                      \
  X(kMemlockTooLow, 30, "MEMLOCK_TOO_LOW")

enum class [[nodiscard]] Status : uint8_t{
#define FRESHET_STATUS_ENUM(name, number, text) name = number,
    FRESHET_STATUS_CODES(FRESHET_STATUS_ENUM)
#undef FRESHET_STATUS_ENUM
};

constexpr const char* status_name(Status status) {
  switch (status) {
#define FRESHET_STATUS_NAME(name, number, text) \
  case Status::name:                            \
    return text;
    FRESHET_STATUS_CODES(FRESHET_STATUS_NAME)
#undef FRESHET_STATUS_NAME
  }
  return "UNKNOWN";
}

constexpr bool is_ok(Status status) { return status == Status::kOk; }

}  // namespace freshet

#endif  // FRESHET_CORE_STATUS_H_
