#include "test/native/simulation/world_values.h"

#include <algorithm>
#include <cstring>

namespace freshet::test {
namespace {

constexpr size_t kCommon = 200;
constexpr size_t kLarge = 30'000;
constexpr size_t kLent = 200'000;

// splitmix64.
uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

size_t size_of(Token token) {
  const uint64_t draw = mix(token);
  const uint64_t among = draw % 500;
  const size_t most = among == 0 ? kLent : among < 6 ? kLarge : kCommon;
  return sizeof token + (draw >> 32) % most;
}

// What follows the token, eight bytes at a time.
uint64_t first_word(Token token, uint32_t key) { return mix(token ^ uint64_t{key} << 56); }
uint64_t next_word(uint64_t word) { return word * 0xD1342543DE82EF95ull + 1; }

}  // namespace

std::vector<std::byte> make_value(Token token, uint32_t key) {
  std::vector<std::byte> value(size_of(token));
  std::memcpy(value.data(), &token, sizeof token);
  uint64_t word = first_word(token, key);
  size_t at = sizeof token;
  for (; at + sizeof word <= value.size(); at += sizeof word, word = next_word(word))
    std::memcpy(value.data() + at, &word, sizeof word);
  std::memcpy(value.data() + at, &word, value.size() - at);
  return value;
}

bool read_value(Bytes value, uint32_t key, Token& token) {
  if (value.size() < sizeof token) return false;
  std::memcpy(&token, value.data(), sizeof token);
  if (value.size() != size_of(token)) return false;
  uint64_t word = first_word(token, key);
  size_t at = sizeof token;
  for (; at + sizeof word <= value.size(); at += sizeof word, word = next_word(word))
    if (std::memcmp(value.data() + at, &word, sizeof word) != 0) return false;
  return std::memcmp(value.data() + at, &word, value.size() - at) == 0;
}

}  // namespace freshet::test
