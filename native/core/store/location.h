// Where a record lies, in one word that is read and written atomically.
//
//   bits  0..19  segment id      (2^20 segments: 16 TiB of 16 MiB each)
//   bits 20..40  offset          in units of kRecordAlignment: a record begins below 128 MiB
//   bits 41..60  length          in the units that bit 61 says; 0: no record (pruned)
//   bit  61      long            0: units of kRecordAlignment, 1: of kLongUnit, rounded up
//   bit  62      removed         the version is a remove
//   bit  63      hidden          pruned from its key's history, kept for consumers by version
#ifndef FRESHET_CORE_STORE_LOCATION_H_
#define FRESHET_CORE_STORE_LOCATION_H_

#include <cstddef>
#include <cstdint>

#include "native/core/limits.h"

namespace freshet {

inline constexpr uint32_t kSegmentIdsMax = uint32_t{1} << 20;
inline constexpr size_t kRecordOffsetEnd = (size_t{1} << 21) * kRecordAlignment;
inline constexpr size_t kLongUnit = size_t{4} << 10;
inline constexpr size_t kLongSizeMin = (size_t{1} << 20) * kRecordAlignment;

class Location {
 public:
  constexpr Location() = default;
  constexpr explicit Location(uint64_t bits) : bits_(bits) {}
  constexpr Location(uint32_t segment, size_t offset, size_t size, bool removed)
      : bits_(segment | (uint64_t{offset / kRecordAlignment} << 20) | length_bits(size) |
              (uint64_t{removed} << 62)) {}

  constexpr uint64_t bits() const { return bits_; }
  constexpr uint32_t segment() const { return static_cast<uint32_t>(bits_ & 0xFFFFF); }
  constexpr size_t offset() const { return ((bits_ >> 20) & 0x1FFFFF) * kRecordAlignment; }
  // What the record takes; where it is long, up to a unit less one more than that.
  constexpr size_t size() const {
    return ((bits_ >> 41) & 0xFFFFF) * (is_long() ? kLongUnit : kRecordAlignment);
  }
  constexpr bool is_long() const { return (bits_ >> 61) & 1; }
  constexpr bool has_record() const { return size() != 0; }
  constexpr bool removed() const { return (bits_ >> 62) & 1; }
  constexpr bool hidden() const { return bits_ >> 63; }

  constexpr Location as_hidden() const { return Location(bits_ | (uint64_t{1} << 63)); }
  constexpr Location as_pruned() const { return Location(bits_ & (uint64_t{1} << 62)); }
  constexpr Location moved_to(uint32_t segment, size_t offset) const {
    const uint64_t kept = bits_ & ~((uint64_t{1} << 41) - 1);
    return Location(kept | segment | (uint64_t{offset / kRecordAlignment} << 20));
  }
  friend constexpr bool operator==(Location, Location) = default;

 private:
  static constexpr uint64_t length_bits(size_t size) {
    if (size < kLongSizeMin) return uint64_t{size / kRecordAlignment} << 41;
    return (uint64_t{(size + kLongUnit - 1) / kLongUnit} << 41) | (uint64_t{1} << 61);
  }

  uint64_t bits_ = 0;
};
static_assert(kAloneRecordsMax < kSegmentIdsMax / 64, "most ids are for segments of many");
static_assert(kRecordSizeMax / kLongUnit + 1 < (size_t{1} << 20));

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_LOCATION_H_
