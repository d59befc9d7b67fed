// SHA-256 (FIPS 180-4), for the proofs that members show each other. Not for bulk data.
#ifndef FRESHET_IO_SHA256_H_
#define FRESHET_IO_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "native/core/types.h"

namespace freshet {

using Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  static constexpr size_t kBlockSize = 64;

  void update(Bytes bytes);
  Digest finish();  // the object is used up

 private:
  void take_block(const uint8_t* block);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, kBlockSize> pending_ = {};
  size_t pending_size_ = 0;
  uint64_t total_size_ = 0;
};

Digest sha256(Bytes bytes);

}  // namespace freshet

#endif  // FRESHET_IO_SHA256_H_
