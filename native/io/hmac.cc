#include "native/io/hmac.h"

#include <cstring>

namespace freshet {

Digest hmac_sha256(Bytes key, std::initializer_list<Bytes> parts) {
  std::array<uint8_t, Sha256::kBlockSize> block = {};
  if (key.size() > block.size()) {
    const Digest short_key = sha256(key);
    std::memcpy(block.data(), short_key.data(), short_key.size());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  std::array<uint8_t, Sha256::kBlockSize> inner = block;
  std::array<uint8_t, Sha256::kBlockSize> outer = block;
  for (uint8_t& byte : inner) byte ^= 0x36;
  for (uint8_t& byte : outer) byte ^= 0x5c;

  Sha256 inside;
  inside.update(std::as_bytes(std::span(inner)));
  for (Bytes part : parts) inside.update(part);
  const Digest inside_digest = inside.finish();
  Sha256 outside;
  outside.update(std::as_bytes(std::span(outer)));
  outside.update(std::as_bytes(std::span(inside_digest)));
  return outside.finish();
}

bool equal_in_constant_time(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); i++) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace freshet
