// XXH3 against values that libxxhash 0.8.1 gave, over every path of the algorithm.
#include "native/core/xxh3.h"

#include <vector>

#include "test/native/support/test.h"

using namespace freshet;

TEST(known_values) {
  EXPECT_EQ(xxh3_64(""), 0x2D06800538D394C2u);
  EXPECT_EQ(xxh3_64("a"), 0xE6C632B61E964E1Fu);
  EXPECT_EQ(xxh3_64("abc"), 0x78AF5F94892F3950u);
  EXPECT_EQ(xxh3_64("123456789"), 0x72DCB18B67A17DFFu);
  EXPECT_EQ(xxh3_64("freshet/pool/key/0001"), 0x150EF8CBE3997C9Au);
  EXPECT_EQ(xxh3_64("The quick brown fox jumps over the lazy dog"), 0xCE7D19A5418FB365u);
}

TEST(known_values_of_longer_inputs) {
  std::vector<unsigned char> bytes(70'000);
  unsigned x = 1;
  for (unsigned char& byte : bytes) {
    x = x * 1103515245 + 12345;
    byte = static_cast<unsigned char>(x >> 16);
  }
  struct Known {
    size_t size;
    uint64_t hash;
  };
  const Known known[] = {
      {100, 0x41971B14889C653C},  {129, 0xC61639B552225575},  {200, 0xAEA1C4E1114BF7DB},
      {240, 0x7D85B8D4F8B10C82},  {241, 0x5C56141C894CD97E},  {1024, 0x0551DEA22E104EA8},
      {1025, 0xDBE2ED3C377D9922}, {4096, 0x869423345AF97371},
  };
  for (const Known& item : known) EXPECT_EQ(xxh3_64(bytes.data(), item.size), item.hash);
}
