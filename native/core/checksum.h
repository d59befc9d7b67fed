// CRC32C (Castagnoli, polynomial 0x1EDC6F41 reflected), as in RFC 3720 appendix B.4.
//
// Thread: any; the fastest implementation of this processor is chosen once, at load.
#ifndef FRESHET_CORE_CHECKSUM_H_
#define FRESHET_CORE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>

#include "native/core/types.h"

namespace freshet {

// The checksum of `size` bytes at `data`, going on from `crc` of what came before (0: nothing).
uint32_t crc32c(const void* data, size_t size, uint32_t crc = 0);

// The checksums of two short ranges, faster than one after the other.
struct Crc32cPair {
  uint32_t first;
  uint32_t second;
};
Crc32cPair crc32c_both(Bytes first, Bytes second);

// The implementations behind it, for tests that compare them.
enum class Crc32cKind : uint8_t { kTable, kHardware, kFolded };
bool crc32c_has(Crc32cKind kind);
uint32_t crc32c_with(Crc32cKind kind, const void* data, size_t size, uint32_t crc = 0);

}  // namespace freshet

#endif  // FRESHET_CORE_CHECKSUM_H_
