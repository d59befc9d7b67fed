// CRC32C against published vectors, and its implementations against each other.
#include "native/core/checksum.h"

#include <span>
#include <vector>

#include "test/native/support/test.h"

using namespace freshet;

namespace {

std::vector<uint8_t> noise(size_t size) {
  std::vector<uint8_t> bytes(size);
  uint64_t x = test::seed(1);
  for (uint8_t& byte : bytes) {
    x = x * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<uint8_t>(x >> 56);
  }
  return bytes;
}

}  // namespace

TEST(vectors_of_rfc_3720) {
  std::vector<uint8_t> bytes(32, 0);
  EXPECT_EQ(crc32c(bytes.data(), 32), 0x8A9136AAu);
  bytes.assign(32, 0xFF);
  EXPECT_EQ(crc32c(bytes.data(), 32), 0x62A8AB43u);
  for (uint8_t i = 0; i < 32; i++) bytes[i] = i;
  EXPECT_EQ(crc32c(bytes.data(), 32), 0x46DD794Eu);
  for (uint8_t i = 0; i < 32; i++) bytes[i] = static_cast<uint8_t>(31 - i);
  EXPECT_EQ(crc32c(bytes.data(), 32), 0x113FDB5Cu);
  EXPECT_EQ(crc32c("123456789", 9), 0xE3069283u);
  EXPECT_EQ(crc32c("", 0), 0u);
}

TEST(all_ways_agree_at_every_length_and_alignment) {
  const auto bytes = noise(40'000);
  for (const Crc32cKind kind : {Crc32cKind::kHardware, Crc32cKind::kFolded}) {
    if (!crc32c_has(kind)) continue;
    for (size_t size = 0; size < 30'000; size += size < 1200 ? 1 : 613) {
      const uint8_t* at = bytes.data() + size % 71;
      EXPECT_EQ(crc32c_with(Crc32cKind::kTable, at, size, 77), crc32c_with(kind, at, size, 77));
    }
  }
}

TEST(pieces_give_the_same_as_the_whole) {
  const auto bytes = noise(20'000);
  const uint32_t whole = crc32c(bytes.data(), bytes.size());
  for (size_t cut : {0ul, 1ul, 63ul, 6144ul, 6145ul, 19'999ul}) {
    const uint32_t first = crc32c(bytes.data(), cut);
    EXPECT_EQ(crc32c(bytes.data() + cut, bytes.size() - cut, first), whole);
  }
}

TEST(two_ranges_at_once_give_what_each_gives_alone) {
  const auto bytes = noise(700);
  const Bytes all = std::as_bytes(std::span(bytes));
  for (size_t first = 0; first < 90; first++) {
    for (size_t second = 0; second < 300; second++) {
      const Crc32cPair made = crc32c_both(all.subspan(first, first), all.subspan(300, second));
      EXPECT_EQ(made.first, crc32c(bytes.data() + first, first));
      EXPECT_EQ(made.second, crc32c(bytes.data() + 300, second));
    }
  }
}
