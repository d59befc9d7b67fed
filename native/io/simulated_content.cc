#include "native/io/simulated_content.h"

#include <algorithm>
#include <cstring>

namespace freshet {

SimulatedContent::Page& SimulatedContent::make_page(uint64_t index) {
  std::unique_ptr<Page>& page = pages_[index];
  if (page == nullptr) page = std::make_unique<Page>();
  return *page;
}

void SimulatedContent::mark(uint64_t index, Page& page, uint64_t first_sector,
                            uint64_t last_sector) {
  if (page.dirty == 0) dirty_.push_back(index);
  for (uint64_t sector = first_sector; sector <= last_sector; sector++)
    page.dirty = static_cast<uint8_t>(page.dirty | 1u << sector);
}

void SimulatedContent::resize(uint64_t size) {
  // What is cut off reads as zeros if the file grows again.
  for (auto at = pages_.lower_bound(size / kPage); size < size_ && at != pages_.end(); ++at) {
    const uint64_t begin = at->first * kPage;
    const uint64_t from = size > begin ? size - begin : 0;
    Page& page = *at->second;
    std::memset(page.now.data() + from, 0, kPage - from);
    mark(at->first, page, from / kSector, kSectors - 1);
  }
  size_ = size;
}

void SimulatedContent::write(uint64_t offset, Bytes bytes) {
  size_ = std::max(size_, offset + bytes.size());
  while (!bytes.empty()) {
    const uint64_t index = offset / kPage;
    const uint64_t in_page = offset % kPage;
    const size_t count = std::min<size_t>(bytes.size(), kPage - in_page);
    Page& page = make_page(index);
    std::memcpy(page.now.data() + in_page, bytes.data(), count);
    mark(index, page, in_page / kSector, (in_page + count - 1) / kSector);
    offset += count;
    bytes = bytes.subspan(count);
  }
}

void SimulatedContent::read(uint64_t offset, MutableBytes out) const {
  for (auto page = pages_.lower_bound(offset / kPage); !out.empty();) {
    const uint64_t begin = page == pages_.end() ? UINT64_MAX : page->first * kPage;
    const uint64_t in_page = begin <= offset ? offset - begin : 0;
    const uint64_t rest = begin <= offset ? kPage - in_page : begin - offset;
    const size_t count = std::min<size_t>(out.size(), rest);
    if (begin <= offset) {
      std::memcpy(out.data(), page->second->now.data() + in_page, count);
      ++page;
    } else {
      std::memset(out.data(), 0, count);
    }
    offset += count;
    out = out.subspan(count);
  }
}

void SimulatedContent::sync() {
  for (const uint64_t index : dirty_) {
    Page& page = *pages_.at(index);
    for (uint64_t sector = 0; sector < kSectors; sector++) {
      if ((page.dirty >> sector & 1) == 0) continue;
      std::memcpy(page.synced.data() + sector * kSector, page.now.data() + sector * kSector,
                  kSector);
    }
    page.dirty = 0;
  }
  dirty_.clear();
  synced_size_ = size_;
}

std::unique_ptr<SimulatedContent> SimulatedContent::after_crash(
    const std::function<bool()>& survives) const {
  auto left = std::make_unique<SimulatedContent>();
  left->size_ = size_ != synced_size_ && survives() ? size_ : synced_size_;
  const uint64_t limit = std::min(size_, left->size_);
  for (const auto& [index, page] : pages_) {
    Page& kept = left->make_page(index);
    kept.now = page->synced;
    for (uint64_t sector = 0; sector < kSectors; sector++) {
      const uint64_t at = sector * kSector;
      const uint64_t begin = index * kPage + at;
      const bool differs = (page->dirty >> sector & 1) != 0;
      if (!differs || begin >= limit || !survives()) continue;
      std::memcpy(kept.now.data() + at, page->now.data() + at, std::min(kSector, limit - begin));
    }
    kept.synced = kept.now;
  }
  left->synced_size_ = left->size_;
  return left;
}

uint64_t SimulatedContent::written() const {
  for (auto at = pages_.rbegin(); at != pages_.rend(); ++at) {
    const auto& bytes = at->second->now;
    const auto last =
        std::find_if(bytes.rbegin(), bytes.rend(), [](std::byte b) { return b != std::byte{0}; });
    if (last != bytes.rend()) return at->first * kPage + static_cast<uint64_t>(bytes.rend() - last);
  }
  return 0;
}

bool SimulatedContent::flip_bit(uint64_t offset, int bit) {
  if (offset >= size_) return false;
  Page& page = make_page(offset / kPage);
  const uint64_t at = offset % kPage;
  page.now[at] ^= std::byte{1} << bit;
  page.synced[at] = page.now[at];
  return true;
}

}  // namespace freshet
