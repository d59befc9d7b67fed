// The wire format between members on tcp. All integers are little endian.
//
//   prefix: u32 length of what follows it | u16 type | u16 flags (0)
//   kWrite: region kind u16, owner u16, shard u32, epoch u32, number u32 | u64 offset | payload
//   the others: see handshake.h
#ifndef FRESHET_IO_TCP_FRAME_H_
#define FRESHET_IO_TCP_FRAME_H_

#include <cstdint>

#include "native/core/region.h"
#include "native/io/tcp/tcp_limits.h"

namespace freshet::tcp {

enum class FrameType : uint16_t {
  kHello = 1,      // dialler -> acceptor: its identity
  kChallenge = 2,  // acceptor -> dialler: its identity and its proof
  kProof = 3,      // dialler -> acceptor
  kWelcome = 4,    // acceptor -> dialler: writes may follow
  kRefused = 5,    // either: why the connection ends here
  kWrite = 16,
};

inline constexpr size_t kPrefixSize = 8;
inline constexpr size_t kWriteHeadSize = 24;  // region id and offset
inline constexpr size_t kHandshakeBodyMax = 256;

struct Prefix {
  uint32_t length;
  FrameType type;
  uint16_t flags;
};
static_assert(sizeof(Prefix) == kPrefixSize);
static_assert(sizeof(RegionId) + sizeof(uint64_t) == kWriteHeadSize);

}  // namespace freshet::tcp

#endif  // FRESHET_IO_TCP_FRAME_H_
