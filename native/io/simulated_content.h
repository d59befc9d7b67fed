// What a simulated file holds: what a reader sees, and what surely survives. Sparse: what was never
// written is zeros and takes no memory, so that files preallocated for a log cost nothing.
//
// Thread: one at a time, the owner's.
#ifndef FRESHET_IO_SIMULATED_CONTENT_H_
#define FRESHET_IO_SIMULATED_CONTENT_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "native/core/types.h"

namespace freshet {

class SimulatedContent {
 public:
  uint64_t size() const { return size_; }
  // Cuts off, or adds zeros.
  void resize(uint64_t size);
  // Grows as needed.
  void write(uint64_t offset, Bytes bytes);
  // Within the size.
  void read(uint64_t offset, MutableBytes out) const;
  void sync();
  // What is left of it when power fails: of all that was not synced, the size and each sector are
  // kept only if `survives`.
  std::unique_ptr<SimulatedContent> after_crash(const std::function<bool()>& survives) const;
  // Up to the last byte that is not zero.
  uint64_t written() const;
  // What was synced changes, too. False: no such byte.
  bool flip_bit(uint64_t offset, int bit);

 private:
  static constexpr uint64_t kSector = 512;
  static constexpr uint64_t kSectors = 8;
  static constexpr uint64_t kPage = kSector * kSectors;

  struct Page {
    std::array<std::byte, kPage> now = {};
    std::array<std::byte, kPage> synced = {};
    uint8_t dirty = 0;  // sectors that may differ, a bit each
  };

  Page& make_page(uint64_t index);
  void mark(uint64_t index, Page& page, uint64_t first_sector, uint64_t last_sector);

  uint64_t size_ = 0;
  uint64_t synced_size_ = 0;
  std::map<uint64_t, std::unique_ptr<Page>> pages_;  // by offset / kPage; none: zeros
  std::vector<uint64_t> dirty_;                      // pages
};

}  // namespace freshet

#endif  // FRESHET_IO_SIMULATED_CONTENT_H_
