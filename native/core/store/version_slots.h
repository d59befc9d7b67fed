// One slot per version, contiguous, in pages that are found in two steps.
//
// Memory: 48 bytes per retained version. A page of 256 slots goes when all its versions are pruned.
//
// Threads: the writer; find(), read() and first_time() from readers too.
// Invariants
//  1. A slot's plain fields are complete before a version that leads to it is published.
//  2. A page is unlinked before it is retired.
#ifndef FRESHET_CORE_STORE_VERSION_SLOTS_H_
#define FRESHET_CORE_STORE_VERSION_SLOTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "native/core/store/location.h"
#include "native/core/store/mapped_memory.h"
#include "native/core/store/reclaimer.h"
#include "native/core/types.h"

namespace freshet {

struct KeyEntry;

struct VersionSlot {
  std::atomic<uint64_t> location;
  Micros time;
  Version previous;   // of the same key; 0: none
  Version jump;       // an older one of the same key (Myers 1983); 0: none
  KeyEntry* entry;    // null: a trigger
  uint32_t depth;     // versions of the key up to this one
  uint32_t next_gap;  // writer only: next version of the key minus this; 0: none or too far
};
static_assert(sizeof(VersionSlot) == 48);

class VersionSlots {
 public:
  explicit VersionSlots(Reclaimer& reclaimer);
  ~VersionSlots();

  // Null: pruned with its whole page, or never given.
  VersionSlot* find(Version version) const {
    const Page* page = page_of(version);
    return page == nullptr ? nullptr : const_cast<VersionSlot*>(&page->slots[version % kPageSlots]);
  }
  Location read(const VersionSlot& slot) const {
    return Location(slot.location.load(std::memory_order_acquire));
  }
  // Newest version of [1, newest] whose time is at most `time`; within pruned pages: their first.
  Version at_time(Micros time, Version newest) const;

  // The slot of the next version, which is `version`; counts as retained.
  VersionSlot& push(Version version, Micros time);
  // Versions from `first` to `last` were pruned before they came here: they get no slot of use.
  void skip(Version first, Version last, Micros time);
  // `version` needs no slot any more: nothing reads but its absence.
  void release(Version version);
  // Versions up to this one may have lost their slots.
  Version compacted() const { return compacted_; }
  uint64_t page_bytes() const { return pages_ * sizeof(Page); }

 private:
  static constexpr size_t kPageSlots = 256;
  static constexpr size_t kFolderPages = size_t{1} << 16;
  static constexpr size_t kFolders = size_t{1} << 20;
  static constexpr Version kVersionsMax = Version{kPageSlots} * kFolderPages * kFolders;

  struct Page {
    VersionSlot slots[kPageSlots];
    uint32_t live;   // writer only
    uint32_t given;  // writer only
  };
  struct PageRef {
    std::atomic<Page*> page;
    std::atomic<Micros> first_time;
  };

  const PageRef* ref_of(Version version) const {
    const Version page = version / kPageSlots;
    const PageRef* folder = folders_[page / kFolderPages].load(std::memory_order_acquire);
    return folder == nullptr ? nullptr : &folder[page % kFolderPages];
  }
  const Page* page_of(Version version) const {
    const PageRef* ref = ref_of(version);
    return ref == nullptr ? nullptr : ref->page.load(std::memory_order_acquire);
  }
  static void on_grace_over(void* owner, void* object);
  Page* take_page();
  PageRef& make_ref(Version version);
  Page& make_page(PageRef& ref, Version version, Micros time);
  void unlink_if_done(PageRef& ref, Version version);

  Reclaimer& reclaimer_;
  LazyArray<std::atomic<PageRef*>> folders_;
  std::vector<PageRef*> made_folders_;
  std::vector<std::byte*> slabs_;
  std::vector<Page*> spare_;
  size_t pages_ = 0;
  Version compacted_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_VERSION_SLOTS_H_
