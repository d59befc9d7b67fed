// Bounds of the native door.
#ifndef FRESHET_AGENT_DOOR_DOOR_LIMITS_H_
#define FRESHET_AGENT_DOOR_DOOR_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "native/core/types.h"

namespace freshet::door {

inline constexpr size_t kConnectionsMax = 1024;
inline constexpr size_t kHandshakesMax = 64;  // the oldest gives way
inline constexpr Nanos kHandshakeTimeout = 3'000'000'000;
inline constexpr Nanos kRefusalTimeout = 1'000'000'000;      // to read the reason
inline constexpr Nanos kLargeFrameTimeout = 60'000'000'000;  // from its head to its end
inline constexpr size_t kAcceptsPerPass = 16;

// Of one connection; beyond them nothing more is read from it until some are answered.
inline constexpr uint32_t kRequestsMax = 16384;
inline constexpr size_t kChangeBytesMax = size_t{16} << 20;
// Triggers that wait for the event loop; beyond them they are refused, so that changes go on
// however long it stands still. A single one may be larger.
inline constexpr size_t kTriggersMax = kRequestsMax / 4;
inline constexpr size_t kTriggerBytesMax = kChangeBytesMax / 4;
inline constexpr size_t kSendMax = size_t{1} << 20;  // answers that wait to be sent
// Of all connections.
inline constexpr size_t kAllRequestsMax = size_t{1} << 16;
inline constexpr size_t kAllTriggersMax = kAllRequestsMax / 4;
inline constexpr size_t kLargeBytesMax = size_t{256} << 20;  // frames with memory of their own

inline constexpr size_t kWatchesMax = 4096;

// Taken in one pass, so that what arrives meanwhile gets its turn.
inline constexpr size_t kBytesPerPass = size_t{256} << 10;
inline constexpr size_t kReadBufferSize = size_t{256} << 10;
// A larger frame is received into memory of its own, in which a large value stays until it is
// delivered.
inline constexpr size_t kLargeFrame = size_t{64} << 10;
// A larger object is not sent here: copying it would hold up all others. It is asked for by gRPC.
inline constexpr size_t kObjectSizeMax = size_t{8} << 20;

static_assert(kLargeFrame < kReadBufferSize / 2, "a whole small frame always fits the buffer");

}  // namespace freshet::door

#endif  // FRESHET_AGENT_DOOR_DOOR_LIMITS_H_
