#include "native/core/xxh3.h"

#include <bit>
#include <cstring>

namespace freshet {
namespace {

constexpr uint32_t kPrime32A = 0x9E3779B1;
constexpr uint32_t kPrime32B = 0x85EBCA77;
constexpr uint32_t kPrime32C = 0xC2B2AE3D;
constexpr uint64_t kPrime64A = 0x9E3779B185EBCA87;
constexpr uint64_t kPrime64B = 0xC2B2AE3D27D4EB4F;
constexpr uint64_t kPrime64C = 0x165667B19E3779F9;
constexpr uint64_t kPrime64D = 0x85EBCA77C2B2AE63;
constexpr uint64_t kPrime64E = 0x27D4EB2F165667C5;
constexpr uint64_t kPrimeMix1 = 0x165667919E3779F9;
constexpr uint64_t kPrimeMix2 = 0x9FB21C651E98DF25;

constexpr size_t kSecretSize = 192;
constexpr uint8_t kSecret[kSecretSize] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e};

uint32_t load32(const uint8_t* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

uint64_t read64(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

uint64_t multiply_fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t avalanche(uint64_t x) {
  x ^= x >> 37;
  x *= kPrimeMix1;
  return x ^ (x >> 32);
}

uint64_t avalanche_xxh64(uint64_t x) {
  x ^= x >> 33;
  x *= kPrime64B;
  x ^= x >> 29;
  x *= kPrime64C;
  return x ^ (x >> 32);
}

uint64_t mix16(const uint8_t* at, const uint8_t* secret) {
  return multiply_fold(read64(at) ^ read64(secret), read64(at + 8) ^ read64(secret + 8));
}

uint64_t hash_to_16(const uint8_t* at, size_t size) {
  if (size > 8) {
    const uint64_t low = read64(at) ^ read64(kSecret + 24) ^ read64(kSecret + 32);
    const uint64_t high = read64(at + size - 8) ^ read64(kSecret + 40) ^ read64(kSecret + 48);
    return avalanche(size + __builtin_bswap64(low) + high + multiply_fold(low, high));
  }
  if (size >= 4) {
    const uint64_t joined = load32(at + size - 4) + (uint64_t{load32(at)} << 32);
    uint64_t x = (read64(kSecret + 8) ^ read64(kSecret + 16)) ^ joined;
    x ^= std::rotl(x, 49) ^ std::rotl(x, 24);
    x *= kPrimeMix2;
    x ^= (x >> 35) + size;
    x *= kPrimeMix2;
    return x ^ (x >> 28);
  }
  if (size > 0) {
    const uint32_t joined = (uint32_t{at[0]} << 16) | (uint32_t{at[size >> 1]} << 24) |
                            uint32_t{at[size - 1]} | (static_cast<uint32_t>(size) << 8);
    return avalanche_xxh64(uint64_t{load32(kSecret) ^ load32(kSecret + 4)} ^ joined);
  }
  return avalanche_xxh64(read64(kSecret + 56) ^ read64(kSecret + 64));
}

uint64_t hash_to_128(const uint8_t* at, size_t size) {
  uint64_t sum = size * kPrime64A;
  for (size_t i = (size - 1) / 32 + 1; i-- > 0;) {
    sum += mix16(at + 16 * i, kSecret + 32 * i);
    sum += mix16(at + size - 16 * (i + 1), kSecret + 32 * i + 16);
  }
  return avalanche(sum);
}

uint64_t hash_to_240(const uint8_t* at, size_t size) {
  uint64_t sum = size * kPrime64A;
  for (size_t i = 0; i < 8; i++) sum += mix16(at + 16 * i, kSecret + 16 * i);
  sum = avalanche(sum);
  for (size_t i = 8; i < size / 16; i++) sum += mix16(at + 16 * i, kSecret + 16 * (i - 8) + 3);
  sum += mix16(at + size - 16, kSecret + 136 - 17);
  return avalanche(sum);
}

constexpr size_t kStripe = 64;
constexpr size_t kStripesPerBlock = (kSecretSize - kStripe) / 8;
constexpr size_t kBlock = kStripe * kStripesPerBlock;

void accumulate(uint64_t (&lanes)[8], const uint8_t* at, const uint8_t* secret) {
  for (size_t i = 0; i < 8; i++) {
    const uint64_t word = read64(at + 8 * i);
    const uint64_t keyed = word ^ read64(secret + 8 * i);
    lanes[i ^ 1] += word;
    lanes[i] += (keyed & 0xFFFFFFFF) * (keyed >> 32);
  }
}

uint64_t hash_long(const uint8_t* at, size_t size) {
  uint64_t lanes[8] = {kPrime32C, kPrime64A, kPrime64B, kPrime64C,
                       kPrime64D, kPrime32B, kPrime64E, kPrime32A};
  const size_t blocks = (size - 1) / kBlock;
  for (size_t block = 0; block < blocks; block++) {
    for (size_t n = 0; n < kStripesPerBlock; n++)
      accumulate(lanes, at + block * kBlock + n * kStripe, kSecret + 8 * n);
    for (size_t i = 0; i < 8; i++) {
      lanes[i] ^= lanes[i] >> 47;
      lanes[i] ^= read64(kSecret + kSecretSize - kStripe + 8 * i);
      lanes[i] *= kPrime32A;
    }
  }
  const size_t stripes = (size - 1 - kBlock * blocks) / kStripe;
  for (size_t n = 0; n < stripes; n++)
    accumulate(lanes, at + blocks * kBlock + n * kStripe, kSecret + 8 * n);
  accumulate(lanes, at + size - kStripe, kSecret + kSecretSize - kStripe - 7);

  uint64_t sum = size * kPrime64A;
  for (size_t i = 0; i < 4; i++) {
    sum += multiply_fold(lanes[2 * i] ^ read64(kSecret + 11 + 16 * i),
                         lanes[2 * i + 1] ^ read64(kSecret + 11 + 16 * i + 8));
  }
  return avalanche(sum);
}

// Apart, as what it keeps in registers would have to be saved for short ones too.
[[gnu::noinline]] uint64_t hash_from_17(const uint8_t* at, size_t size) {
  if (size <= 128) return hash_to_128(at, size);
  if (size <= 240) return hash_to_240(at, size);
  return hash_long(at, size);
}

}  // namespace

uint64_t xxh3_64(const void* data, size_t size) {
  const auto* at = static_cast<const uint8_t*>(data);
  return size <= 16 ? hash_to_16(at, size) : hash_from_17(at, size);
}

}  // namespace freshet
