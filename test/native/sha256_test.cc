// SHA-256 and HMAC-SHA256 against published vectors (FIPS 180-4 examples, RFC 4231).
#include "native/io/sha256.h"

#include <string>
#include <vector>

#include "native/io/hmac.h"
#include "test/native/support/test.h"

using namespace freshet;

namespace {

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string hex(const Digest& digest) {
  std::string out;
  for (uint8_t byte : digest) {
    out.push_back("0123456789abcdef"[byte >> 4]);
    out.push_back("0123456789abcdef"[byte & 15]);
  }
  return out;
}

}  // namespace

TEST(sha256_matches_the_published_examples) {
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256(bytes_of("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha256(bytes_of(std::string(1'000'000, 'a')))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(sha256_does_not_depend_on_how_the_bytes_are_cut) {
  std::string text;
  for (size_t i = 0; i < 300; i++) text.push_back(static_cast<char>(i * 7));
  for (size_t length = 0; length < text.size(); length++) {
    const std::string part = text.substr(0, length);
    const Digest whole = sha256(bytes_of(part));
    for (size_t cut : {size_t{1}, size_t{55}, size_t{63}, size_t{64}, size_t{65}}) {
      Sha256 hash;
      for (size_t at = 0; at < part.size(); at += cut) hash.update(bytes_of(part.substr(at, cut)));
      EXPECT(hash.finish() == whole);
    }
  }
}

TEST(hmac_matches_rfc_4231) {
  EXPECT_EQ(hex(hmac_sha256(bytes_of(std::string(20, '\x0b')), {bytes_of("Hi There")})),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(
      hex(hmac_sha256(bytes_of("Jefe"), {bytes_of("what do ya want "), bytes_of("for nothing?")})),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(bytes_of(std::string(131, '\xaa')),
                            {bytes_of("Test Using Larger Than Block-Size Key - Hash Key First")})),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(constant_time_comparison_compares) {
  EXPECT(equal_in_constant_time(bytes_of("same"), bytes_of("same")));
  EXPECT(!equal_in_constant_time(bytes_of("same"), bytes_of("sane")));
  EXPECT(!equal_in_constant_time(bytes_of("same"), bytes_of("sam")));
  EXPECT(equal_in_constant_time({}, {}));
}
