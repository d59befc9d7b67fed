#include "native/core/checksum.h"

#include <array>
#include <cstring>

#include "native/core/check.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace freshet {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // reflected

// Eight tables: one step takes eight bytes ("slicing by 8", Kounavis and Berry, 2005).
constexpr std::array<std::array<uint32_t, 256>, 8> make_tables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (size_t t = 1; t < 8; t++) {
    for (size_t i = 0; i < 256; i++) {
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xFF];
    }
  }
  return tables;
}
constexpr auto kTables = make_tables();

template <typename Word>
Word load(const uint8_t* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

uint32_t run_table(const uint8_t* at, size_t size, uint32_t crc) {
  for (; size >= 8; at += 8, size -= 8) {
    const uint64_t word = load<uint64_t>(at) ^ crc;
    crc = 0;
    for (size_t t = 0; t < 8; t++) crc ^= kTables[7 - t][(word >> (8 * t)) & 0xFF];
  }
  for (; size > 0; at++, size--) crc = (crc >> 8) ^ kTables[0][(crc ^ *at) & 0xFF];
  return crc;
}

// Three streams at once hide the three cycles that one instruction takes; they are joined by
// multiplying a stream's CRC with x^(8 * kStream) modulo the polynomial, by table.
constexpr size_t kStream = 2048;

constexpr uint32_t advance_zeros(uint32_t crc, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) crc = (crc >> 8) ^ kTables[0][crc & 0xFF];
  return crc;
}

struct ShiftTables {
  std::array<std::array<uint32_t, 256>, 4> at{};
};
ShiftTables make_shift_tables() {
  ShiftTables tables;
  std::array<uint32_t, 32> of_bit{};
  for (uint32_t bit = 0; bit < 32; bit++) of_bit[bit] = advance_zeros(uint32_t{1} << bit, kStream);
  for (uint32_t byte = 0; byte < 4; byte++) {
    for (uint32_t value = 0; value < 256; value++) {
      uint32_t sum = 0;
      for (uint32_t bit = 0; bit < 8; bit++) {
        if (value & (1u << bit)) sum ^= of_bit[byte * 8 + bit];
      }
      tables.at[byte][value] = sum;
    }
  }
  return tables;
}

#if defined(__x86_64__) || defined(__aarch64__)
#define FRESHET_CRC_HARDWARE 1

const ShiftTables kShift = make_shift_tables();

uint32_t shift_stream(uint32_t crc) {
  return kShift.at[0][crc & 0xFF] ^ kShift.at[1][(crc >> 8) & 0xFF] ^
         kShift.at[2][(crc >> 16) & 0xFF] ^ kShift.at[3][crc >> 24];
}

#if defined(__x86_64__)
#define FRESHET_CRC_TARGET __attribute__((target("sse4.2")))
FRESHET_CRC_TARGET inline uint64_t step8(uint64_t crc, uint64_t word) {
  return _mm_crc32_u64(crc, word);
}
FRESHET_CRC_TARGET inline uint32_t step4(uint32_t crc, uint32_t word) {
  return _mm_crc32_u32(crc, word);
}
FRESHET_CRC_TARGET inline uint32_t step2(uint32_t crc, uint16_t word) {
  return _mm_crc32_u16(crc, word);
}
FRESHET_CRC_TARGET inline uint32_t step1(uint32_t crc, uint8_t byte) {
  return _mm_crc32_u8(crc, byte);
}
bool detect() { return __builtin_cpu_supports("sse4.2"); }
#else
#define FRESHET_CRC_TARGET __attribute__((target("+crc")))
FRESHET_CRC_TARGET inline uint64_t step8(uint64_t crc, uint64_t word) {
  return __crc32cd(static_cast<uint32_t>(crc), word);
}
FRESHET_CRC_TARGET inline uint32_t step4(uint32_t crc, uint32_t word) {
  return __crc32cw(crc, word);
}
FRESHET_CRC_TARGET inline uint32_t step2(uint32_t crc, uint16_t word) {
  return __crc32ch(crc, word);
}
FRESHET_CRC_TARGET inline uint32_t step1(uint32_t crc, uint8_t byte) {
  return __crc32cb(crc, byte);
}
bool detect() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

// Eight bytes, and four times that in a row: where records are short, counting costs as much as the
// sum itself. The sum stays in a whole register, whose upper half is zero.
FRESHET_CRC_TARGET inline uint64_t step_word(uint64_t crc, const uint8_t* at) {
  return step8(crc, load<uint64_t>(at));
}
FRESHET_CRC_TARGET inline uint64_t step_words(uint64_t crc, const uint8_t* at) {
  crc = step_word(step_word(crc, at), at + 8);
  return step_word(step_word(crc, at + 16), at + 24);
}

FRESHET_CRC_TARGET inline uint32_t run_short(const uint8_t* at, size_t size, uint64_t crc) {
  for (; size >= 32; at += 32, size -= 32) crc = step_words(crc, at);
  for (; size >= 8; at += 8, size -= 8) crc = step_word(crc, at);
  // Each step waits for the one before: what is left takes three at most.
  auto rest = static_cast<uint32_t>(crc);
  if (size & 4) {
    rest = step4(rest, load<uint32_t>(at));
    at += 4;
  }
  if (size & 2) {
    rest = step2(rest, load<uint16_t>(at));
    at += 2;
  }
  return (size & 1) ? step1(rest, *at) : rest;
}

FRESHET_CRC_TARGET uint32_t run_hardware(const uint8_t* at, size_t size, uint32_t crc) {
  while (size >= 3 * kStream) {
    uint64_t a = crc;
    uint64_t b = 0;
    uint64_t c = 0;
    for (size_t i = 0; i < kStream; i += 8) {
      a = step_word(a, at + i);
      b = step_word(b, at + kStream + i);
      c = step_word(c, at + 2 * kStream + i);
    }
    const auto ab = shift_stream(static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
    crc = shift_stream(ab) ^ static_cast<uint32_t>(c);
    at += 3 * kStream;
    size -= 3 * kStream;
  }
  return run_short(at, size, crc);
}

// The sum of a record's header, whose size is known here, is a few steps without a count: they go
// into the gaps of the other's by themselves.
FRESHET_CRC_TARGET Crc32cPair run_hardware_both(Bytes first, Bytes second) {
  constexpr size_t kHeader = 60;
  const auto* a = reinterpret_cast<const uint8_t*>(first.data());
  const auto* b = reinterpret_cast<const uint8_t*>(second.data());
  const uint32_t of_b = run_short(b, second.size(), ~uint32_t{0});
  if (first.size() != kHeader) return {~run_short(a, first.size(), ~uint32_t{0}), ~of_b};
  uint64_t of_a = step_words(~uint32_t{0}, a);
  for (size_t i = 32; i < 56; i += 8) of_a = step_word(of_a, a + i);
  return {~step4(static_cast<uint32_t>(of_a), load<uint32_t>(a + 56)), ~of_b};
}

const bool kDetected = detect();
#endif

}  // namespace

bool crc32c_has(Crc32cKind kind) {
#if defined(FRESHET_CRC_HARDWARE)
  return kind == Crc32cKind::kTable || kDetected;
#else
  return kind == Crc32cKind::kTable;
#endif
}

uint32_t crc32c_with(Crc32cKind kind, const void* data, size_t size, uint32_t crc) {
  const auto* at = static_cast<const uint8_t*>(data);
#if defined(FRESHET_CRC_HARDWARE)
  if (kind == Crc32cKind::kHardware) {
    FRESHET_CHECK(kDetected);
    return ~run_hardware(at, size, ~crc);
  }
#endif
  FRESHET_CHECK(kind == Crc32cKind::kTable);
  return ~run_table(at, size, ~crc);
}

uint32_t crc32c(const void* data, size_t size, uint32_t crc) {
  const auto* at = static_cast<const uint8_t*>(data);
#if defined(FRESHET_CRC_HARDWARE)
  if (kDetected) [[likely]]
    return ~run_hardware(at, size, ~crc);
#endif
  return ~run_table(at, size, ~crc);
}

Crc32cPair crc32c_both(Bytes first, Bytes second) {
#if defined(FRESHET_CRC_HARDWARE)
  if (kDetected) [[likely]]
    return run_hardware_both(first, second);
#endif
  return {crc32c(first.data(), first.size()), crc32c(second.data(), second.size())};
}

}  // namespace freshet
