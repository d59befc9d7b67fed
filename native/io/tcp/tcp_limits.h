// Bounds of the tcp transport.
#ifndef FRESHET_IO_TCP_TCP_LIMITS_H_
#define FRESHET_IO_TCP_TCP_LIMITS_H_

#include "native/core/limits.h"
#include "native/core/types.h"

namespace freshet::tcp {

inline constexpr size_t kPayloadMax = kRingSizeMax;           // of one write frame
inline constexpr size_t kReadBufferSize = size_t{128} << 10;  // a connection
// Writes up to this size are applied whole; of larger ones the payload goes straight to its region.
inline constexpr size_t kWholeMax = size_t{16} << 10;
// While large writes come in, no more than this is read beyond the payload that is waited for, so
// that the next one's payload too comes straight to its region; until so many small ones in a row.
inline constexpr size_t kHeadRead = size_t{4} << 10;
inline constexpr int kSmallInARow = 8;
inline constexpr size_t kReceivedPerPoll = size_t{256} << 10;  // a connection, about
// Stable writes from this size on are sent from where they lie.
inline constexpr size_t kReferenceMin = size_t{16} << 10;
inline constexpr size_t kBlockSize = size_t{64} << 10;  // of the send queue's own memory
inline constexpr size_t kFreeBlocksMax = 16;
inline constexpr size_t kPiecesMax = 64;  // of one sendmsg
// Copied bytes waiting for one peer; one that leaves more lying is disconnected.
inline constexpr size_t kCopiedMax = size_t{256} << 20;

inline constexpr size_t kHalfOpenMax = 64;  // connections that have not proved anything yet
inline constexpr size_t kAcceptsPerPoll = 16;
// For a host to answer at all; then it is tried anew. Kernels try less and less often by
// themselves, and a cable that was cut is to be found whole again within two seconds.
inline constexpr Nanos kConnectTimeout = 1'000'000'000;
inline constexpr Nanos kHandshakeTimeout = 3'000'000'000;
inline constexpr Nanos kRefusalTimeout = 1'000'000'000;  // for the other side to read the reason
// Between two tries to reach a peer: doubled from the first to the second, and to the third where
// the peer keeps refusing (some times are usual: members that start know each other one by one).
inline constexpr Nanos kRedialMin = 10'000'000;
inline constexpr Nanos kRedialMax = 100'000'000;
inline constexpr Nanos kRefusedRedialMax = 1'000'000'000;
inline constexpr int kUsualRefusals = 8;
inline constexpr int kRefusalEventsPerSecond = 16;  // from strangers; the rest is only counted
inline constexpr int kListenBacklog = 128;

static_assert(kBlockSizeMax <= kPayloadMax, "a block goes in one write");
static_assert(kWholeMax < kReadBufferSize / 2, "a whole small frame always fits the read buffer");

}  // namespace freshet::tcp

#endif  // FRESHET_IO_TCP_TCP_LIMITS_H_
