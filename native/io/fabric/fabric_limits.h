// Bounds of the fabric transport.
#ifndef FRESHET_IO_FABRIC_FABRIC_LIMITS_H_
#define FRESHET_IO_FABRIC_FABRIC_LIMITS_H_

#include "native/core/limits.h"
#include "native/core/types.h"

namespace freshet::fabric {

inline constexpr size_t kMessageSize = size_t{32} << 10;  // of a message, at most
inline constexpr size_t kReceives = 32;                   // posted at each end of a connection
inline constexpr size_t kSends = 16;                      // messages under way
// Messages that only return receives may use the last ones: who waits for them never waits for us.
inline constexpr size_t kReserve = 2;
inline constexpr size_t kReturnAt = kReceives / 2;
// Where the network card reads what is larger than it takes with the request.
inline constexpr size_t kBounceSize = size_t{1} << 20;
inline constexpr size_t kWrites = 128;                   // direct writes under way
inline constexpr size_t kWriteMax = size_t{64} << 10;    // of one direct write
inline constexpr size_t kCopiedMax = size_t{256} << 20;  // as on tcp
inline constexpr size_t kNameMax = 256;                  // of an endpoint
// Rings of a member may take 512 MiB; below this not even a few small shards have room.
inline constexpr uint64_t kMemlockMin = uint64_t{64} << 20;

inline constexpr Nanos kConnectTimeout = 3'000'000'000;  // from the control connection to messages
// Between two tries after something other than the network failed.
inline constexpr Nanos kRetryMin = 100'000'000;
inline constexpr Nanos kRetryMax = 1'000'000'000;
// While nothing waits, how often connections' events and the control connection are looked at.
inline constexpr Nanos kLookEvery = 50'000;
inline constexpr Nanos kStuckWait = 1'000'000;      // where no event tells that there is room again
inline constexpr Nanos kConnectWait = 10'000'000;   // while endpoints connect
inline constexpr size_t kCompletionsPerPoll = 256;  // of one connection

static_assert(kReturnAt + kReserve <= kReceives);
// A window of messages is returned by fewer messages than are kept for that.
static_assert(kReceives / kReturnAt <= kReserve);

}  // namespace freshet::fabric

#endif  // FRESHET_IO_FABRIC_FABRIC_LIMITS_H_
