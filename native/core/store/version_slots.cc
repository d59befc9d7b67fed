#include "native/core/store/version_slots.h"

#include "native/core/check.h"

namespace freshet {
namespace {

// A long history is worth huge pages: few faults while it is rebuilt, short ways to old versions.
constexpr size_t kFirstSlabSize = size_t{1} << 20;
constexpr size_t kSlabSize = size_t{4} << 20;

}  // namespace

VersionSlots::VersionSlots(Reclaimer& reclaimer, bool keeps_next)
    : reclaimer_(reclaimer),
      keeps_next_(keeps_next),
      page_size_(keeps_next ? sizeof(PageWithNext) : sizeof(Page)),
      folders_(kFolders) {}

VersionSlots::~VersionSlots() {
  for (PageRef* folder : made_folders_)
    unmap_memory(reinterpret_cast<std::byte*>(folder), kFolderPages * sizeof(PageRef));
  for (size_t i = 0; i < slabs_.size(); i++)
    unmap_memory(slabs_[i], i == 0 ? kFirstSlabSize : kSlabSize);
}

VersionSlots::Page* VersionSlots::take_page() {
  if (spare_.empty()) {
    const bool is_first = slabs_.empty();
    const size_t size = is_first ? kFirstSlabSize : kSlabSize;
    std::byte* slab = map_memory(size, is_first ? PageUse::kPlain : PageUse::kHuge);
    slabs_.push_back(slab);
    // The first of them is taken first: memory is touched from its beginning on.
    for (size_t n = size / page_size_; n-- > 0;)
      spare_.push_back(reinterpret_cast<Page*>(slab + n * page_size_));
  }
  Page* page = spare_.back();
  spare_.pop_back();
  page->live = 0;
  page->given = 0;
  pages_++;
  return page;
}

VersionSlots::PageRef& VersionSlots::make_ref(Version version) {
  FRESHET_CHECK_VALUES(version < kVersionsMax, version, kVersionsMax);
  const Version index = version / kPageSlots;
  std::atomic<PageRef*>& link = folders_[index / kFolderPages];
  PageRef* folder = link.load(std::memory_order_relaxed);
  if (folder == nullptr) {
    folder =
        reinterpret_cast<PageRef*>(map_memory(kFolderPages * sizeof(PageRef), PageUse::kPlain));
    made_folders_.push_back(folder);
    link.store(folder, std::memory_order_release);
  }
  return folder[index % kFolderPages];
}

VersionSlots::Page& VersionSlots::make_page(PageRef& ref, Version version, Micros time) {
  Page* page = ref.page.load(std::memory_order_relaxed);
  if (page == nullptr) {
    page = take_page();
    page->given = static_cast<uint32_t>(version % kPageSlots);
    if (ref.first_time.load(std::memory_order_relaxed) == 0)
      ref.first_time.store(time, std::memory_order_relaxed);
    ref.page.store(page, std::memory_order_release);
  }
  return *page;
}

void VersionSlots::open_page(Version version, Micros time) {
  open_page_ = &make_page(make_ref(version), version, time);
  open_index_ = version / kPageSlots;
}

void VersionSlots::skip(Version first, Version last, Micros time) {
  for (Version version = first; version <= last;) {
    PageRef& ref = make_ref(version);
    const Version page_last = version / kPageSlots * kPageSlots + kPageSlots - 1;
    const bool whole = version % kPageSlots == 0 && page_last <= last;
    if (whole) {
      ref.first_time.store(time, std::memory_order_release);
      compacted_ = page_last;
      version = page_last + 1;
      continue;
    }
    Page& page = make_page(ref, version, time);
    for (; version <= last && version <= page_last; version++) {
      VersionSlot& slot = page.slots[version % kPageSlots];
      slot.location.store(0, std::memory_order_relaxed);
      slot.time = time;
      slot.link(nullptr, 0, 0, 0);
      page.given++;
    }
    unlink_if_done(ref, page_last);
  }
}

uint32_t& VersionSlots::next_gap(Version version) const {
  Page* page = const_cast<Page*>(page_of(version));
  FRESHET_CHECK(keeps_next_ && page != nullptr);
  return static_cast<PageWithNext*>(page)->next_gaps[version % kPageSlots];
}

Version VersionSlots::next_of(Version version) const {
  const uint32_t gap = next_gap(version);
  return gap == 0 ? 0 : version + gap;
}

void VersionSlots::release(Version version) {
  const Version index = version / kPageSlots;
  PageRef& ref =
      folders_[index / kFolderPages].load(std::memory_order_relaxed)[index % kFolderPages];
  Page* page = ref.page.load(std::memory_order_relaxed);
  FRESHET_CHECK(page != nullptr && page->live > 0);
  page->live--;
  unlink_if_done(ref, version);
}

void VersionSlots::unlink_if_done(PageRef& ref, Version version) {
  Page* page = ref.page.load(std::memory_order_relaxed);
  if (page->live > 0 || page->given < kPageSlots) return;
  ref.page.store(nullptr, std::memory_order_release);
  const Version last = version / kPageSlots * kPageSlots + kPageSlots - 1;
  if (last > compacted_) compacted_ = last;
  reclaimer_.retire(&VersionSlots::on_grace_over, this, page);
}

void VersionSlots::on_grace_over(void* owner, void* object) {
  auto* slots = static_cast<VersionSlots*>(owner);
  slots->spare_.push_back(static_cast<Page*>(object));
  slots->pages_--;
}

Version VersionSlots::at_time(Micros time, Version newest) const {
  if (newest == 0) return 0;
  Version low = 0;  // the last page whose first time is at most `time`
  Version high = newest / kPageSlots + 1;
  bool any = false;
  while (low < high) {
    const Version middle = low + (high - low) / 2;
    const PageRef* ref = ref_of(middle * kPageSlots);
    if (ref != nullptr && ref->first_time.load(std::memory_order_acquire) <= time) {
      any = true;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (!any) return 0;
  const Version first = (low - 1) * kPageSlots;
  Version best = first == 0 ? 1 : first;  // version 0 does not exist
  const Page* page = page_of(best);
  if (page == nullptr) return best;
  for (Version from = best, to = newest < first + kPageSlots - 1 ? newest : first + kPageSlots - 1;
       from <= to;) {
    const Version middle = from + (to - from) / 2;
    if (page->slots[middle % kPageSlots].time <= time) {
      best = middle;
      from = middle + 1;
    } else {
      to = middle - 1;
    }
  }
  return best;
}

}  // namespace freshet
