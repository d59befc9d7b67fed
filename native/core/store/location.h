// Where a record lies, in one word that is read and written atomically.
//
//   bits  0..19  segment id      (2^20 segments: 16 TiB of 16 MiB each)
//   bits 20..40  offset          in units of kRecordAlignment (segments to 128 MiB)
//   bits 41..61  length          in the same units; 0: no record (pruned)
//   bit  62      removed         the version is a remove
//   bit  63      hidden          pruned from its key's history, kept for consumers by version
#ifndef FRESHET_CORE_STORE_LOCATION_H_
#define FRESHET_CORE_STORE_LOCATION_H_

#include <cstddef>
#include <cstdint>

#include "native/core/limits.h"

namespace freshet {

inline constexpr uint32_t kSegmentIdsMax = uint32_t{1} << 20;

class Location {
 public:
  constexpr Location() = default;
  constexpr explicit Location(uint64_t bits) : bits_(bits) {}
  constexpr Location(uint32_t segment, size_t offset, size_t size, bool removed)
      : bits_(segment | (uint64_t{offset / kRecordAlignment} << 20) |
              (uint64_t{size / kRecordAlignment} << 41) | (uint64_t{removed} << 62)) {}

  constexpr uint64_t bits() const { return bits_; }
  constexpr uint32_t segment() const { return static_cast<uint32_t>(bits_ & 0xFFFFF); }
  constexpr size_t offset() const { return ((bits_ >> 20) & 0x1FFFFF) * kRecordAlignment; }
  constexpr size_t size() const { return ((bits_ >> 41) & 0x1FFFFF) * kRecordAlignment; }
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
  uint64_t bits_ = 0;
};
static_assert(kRecordSizeMax / kRecordAlignment + 1 < (size_t{1} << 21));

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_LOCATION_H_
