// What members say to each other in fabric messages, beside what they write. All integers are
// little endian.
//
//   message: head (16 bytes), then frames one behind the other
//   frame:   u16 type | u16 0 | u32 length of the body | body, zeros up to a multiple of 8
#ifndef FRESHET_IO_FABRIC_MESSAGE_H_
#define FRESHET_IO_FABRIC_MESSAGE_H_

#include <cstdint>
#include <cstring>

#include "native/core/region.h"
#include "native/io/fabric/fabric_limits.h"

namespace freshet::fabric {

struct MessageHead {
  uint64_t taken;  // how many messages of the other side I have taken
  uint32_t size;   // of the message, with this head
  uint32_t flags;  // kQuiet
};
inline constexpr uint32_t kQuiet = 1;  // tells nothing that anybody waits for

enum class FrameType : uint16_t {
  kGrant = 1,    // you may write this region (direct providers)
  kRevoke = 2,   // write it no more, and say when the last write was sent
  kRevoked = 3,  // what follows this was not written there
  kReady = 4,    // you know what I granted before
  kUp = 5,       // my owner knows that you are here: write
  kAsleep = 6,   // I may not look before I am woken (providers without a descriptor to wait on)
  kWrite = 16,   // put this there (providers that are not direct)
};

struct FrameHead {
  uint16_t type;
  uint16_t zero;
  uint32_t length;
};

struct GrantBody {
  RegionId region;
  uint32_t number;  // of this grant on this connection, from 1
  uint32_t zero;
  uint64_t address;
  uint64_t key;
  uint64_t length;
};

struct RevokeBody {  // kRevoked too
  RegionId region;
  uint32_t number;
};

struct WriteBody {  // then the bytes
  RegionId region;
  uint64_t offset;
};

static_assert(sizeof(MessageHead) == 16 && sizeof(FrameHead) == 8);
static_assert(sizeof(GrantBody) == 48 && sizeof(RevokeBody) == 20 && sizeof(WriteBody) == 24);

constexpr size_t padded(size_t size) { return (size + 7) & ~size_t{7}; }

// What one side tells the other over the control connection, so that they find each other. It lies
// in region kFabricBoot, which the other writes.
struct Boot {
  uint64_t session;  // random, never 0; of this connection
  uint64_t token;    // what the dialler shows to prove that it read this
  uint32_t name_length;
  uint32_t process;          // its id
  std::byte name[kNameMax];  // of the listening or, without connections, the very endpoint
  // Written alone, to wake a sleeper that has no descriptor to wait on: counts up.
  uint64_t wakes;
};
static_assert(sizeof(Boot) == 288);

inline constexpr RegionId kBootRegion{RegionKind::kFabricBoot, 0, 0, 0};

template <typename T>
T read_as(Bytes bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace freshet::fabric

#endif  // FRESHET_IO_FABRIC_MESSAGE_H_
