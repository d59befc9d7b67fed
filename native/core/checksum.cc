#include "native/core/checksum.h"

#include <array>
#include <cstring>

#include "native/core/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
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

#if defined(__x86_64__)
// Long ranges by multiplying without carries, 64 bytes an instruction: a sum stays the same when
// what lies D bits ahead of its end is replaced by its product with x^D modulo the polynomial
// (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel,
// 2009). Half of each 128 bits lies 64 bits further ahead than the other.
#define FRESHET_CRC_FOLDED 1
#define FRESHET_FOLD_TARGET __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))

constexpr size_t kLane = 64;
constexpr size_t kFoldMin = 4 * kLane;

// x^power modulo the polynomial, reflected, times x: a product of reflected factors is a bit short.
constexpr int64_t fold_factor(size_t power) {
  uint32_t value = uint32_t{1} << 31;
  for (size_t i = 0; i < power; i++) value = (value >> 1) ^ ((value & 1) ? kPolynomial : 0);
  return int64_t{value} << 1;
}

template <size_t kBits>
struct FoldBy {
  static constexpr int64_t kAhead = fold_factor(kBits + 32);
  static constexpr int64_t kBehind = fold_factor(kBits - 32);
};

FRESHET_FOLD_TARGET inline __m512i load_lane(const uint8_t* at) {
  return _mm512_loadu_si512(static_cast<const void*>(at));
}

template <size_t kBits>
FRESHET_FOLD_TARGET inline __m512i fold(__m512i sum, __m512i next) {
  constexpr int64_t kAhead = FoldBy<kBits>::kAhead;
  constexpr int64_t kBehind = FoldBy<kBits>::kBehind;
  const __m512i factors = _mm512_set4_epi64(kBehind, kAhead, kBehind, kAhead);
  const __m512i ahead = _mm512_clmulepi64_epi128(sum, factors, 0x00);
  const __m512i behind = _mm512_clmulepi64_epi128(sum, factors, 0x11);
  return _mm512_ternarylogic_epi64(ahead, behind, next, 0x96);  // the sum of three
}

template <size_t kBits>
FRESHET_FOLD_TARGET inline __m128i fold_quarter(__m128i sum) {
  const __m128i factors = _mm_set_epi64x(FoldBy<kBits>::kBehind, FoldBy<kBits>::kAhead);
  return _mm_xor_si128(_mm_clmulepi64_si128(sum, factors, 0x00),
                       _mm_clmulepi64_si128(sum, factors, 0x11));
}

FRESHET_FOLD_TARGET uint32_t run_folded(const uint8_t* at, size_t size, uint32_t crc) {
  __m512i a = _mm512_xor_si512(load_lane(at),
                               _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(crc))));
  __m512i b = load_lane(at + kLane);
  __m512i c = load_lane(at + 2 * kLane);
  __m512i d = load_lane(at + 3 * kLane);
  at += kFoldMin;
  size -= kFoldMin;
  for (; size >= kFoldMin; at += kFoldMin, size -= kFoldMin) {
    a = fold<8 * kFoldMin>(a, load_lane(at));
    b = fold<8 * kFoldMin>(b, load_lane(at + kLane));
    c = fold<8 * kFoldMin>(c, load_lane(at + 2 * kLane));
    d = fold<8 * kFoldMin>(d, load_lane(at + 3 * kLane));
  }
  d = fold<8 * kLane>(fold<8 * kLane>(fold<8 * kLane>(a, b), c), d);
  for (; size >= kLane; at += kLane, size -= kLane) d = fold<8 * kLane>(d, load_lane(at));
  alignas(kLane) __m128i quarters[4];
  _mm512_store_si512(quarters, d);
  __m128i sum = quarters[3];
  sum = _mm_xor_si128(sum, fold_quarter<384>(quarters[0]));
  sum = _mm_xor_si128(sum, fold_quarter<256>(quarters[1]));
  sum = _mm_xor_si128(sum, fold_quarter<128>(quarters[2]));
  const uint64_t first = step8(0, static_cast<uint64_t>(_mm_cvtsi128_si64(sum)));
  return run_short(at, size, step8(first, static_cast<uint64_t>(_mm_extract_epi64(sum, 1))));
}

bool detect_folded() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq") && detect();
}
const bool kFolds = detect_folded();
#endif

inline bool is_folded(size_t size) {
#if defined(FRESHET_CRC_FOLDED)
  return size >= kFoldMin && kFolds;
#else
  (void)size;
  return false;
#endif
}

inline uint32_t run_fastest(const uint8_t* at, size_t size, uint32_t crc) {
#if defined(FRESHET_CRC_FOLDED)
  if (is_folded(size)) return run_folded(at, size, crc);
#endif
  return run_hardware(at, size, crc);
}
#endif

}  // namespace

bool crc32c_has(Crc32cKind kind) {
  switch (kind) {
    case Crc32cKind::kTable:
      return true;
#if defined(FRESHET_CRC_HARDWARE)
    case Crc32cKind::kHardware:
      return kDetected;
#endif
#if defined(FRESHET_CRC_FOLDED)
    case Crc32cKind::kFolded:
      return kFolds;
#endif
    default:
      return false;
  }
}

uint32_t crc32c_with(Crc32cKind kind, const void* data, size_t size, uint32_t crc) {
  const auto* at = static_cast<const uint8_t*>(data);
  FRESHET_CHECK(crc32c_has(kind));
#if defined(FRESHET_CRC_FOLDED)
  if (kind == Crc32cKind::kFolded && size >= kFoldMin) return ~run_folded(at, size, ~crc);
#endif
#if defined(FRESHET_CRC_HARDWARE)
  if (kind != Crc32cKind::kTable) return ~run_hardware(at, size, ~crc);
#endif
  return ~run_table(at, size, ~crc);
}

uint32_t crc32c(const void* data, size_t size, uint32_t crc) {
  const auto* at = static_cast<const uint8_t*>(data);
#if defined(FRESHET_CRC_HARDWARE)
  if (kDetected) [[likely]]
    return ~run_fastest(at, size, ~crc);
#endif
  return ~run_table(at, size, ~crc);
}

Crc32cPair crc32c_both(Bytes first, Bytes second) {
#if defined(FRESHET_CRC_HARDWARE)
  if (kDetected && !is_folded(second.size())) [[likely]]
    return run_hardware_both(first, second);
#endif
  return {crc32c(first.data(), first.size()), crc32c(second.data(), second.size())};
}

}  // namespace freshet
