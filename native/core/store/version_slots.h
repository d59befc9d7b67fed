// One slot per version, contiguous, in pages that are found in two steps.
//
// Memory: 32 bytes per retained version, and 4 where histories are pruned. A page of 256 slots goes
// when all its versions are pruned.
//
// Threads: the writer; find(), read() and first_time() from readers too.
// Invariants
//  1. A slot's plain fields are complete before a version that leads to it is published.
//  2. A page is unlinked before it is retired.
#ifndef FRESHET_CORE_STORE_VERSION_SLOTS_H_
#define FRESHET_CORE_STORE_VERSION_SLOTS_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "native/core/check.h"
#include "native/core/store/location.h"
#include "native/core/store/mapped_memory.h"
#include "native/core/store/reclaimer.h"
#include "native/core/types.h"

namespace freshet {

struct KeyEntry;

// A version of a key and where it stands in the chain of the key's versions. Half a cache line:
// what a restart costs goes with the memory that slots take.
class VersionSlot {
 public:
  std::atomic<uint64_t> location;
  Micros time;

  // Both are 0 where there is none; a jump that leads over 2^32 versions is not kept.
  static constexpr int kVersionBits = 45;
  Version previous() const { return (links_ >> kPreviousShift) << 32 | previous_low_; }
  Version jump() const { return jump_gap_ == kNoJump ? 0 : previous() - jump_gap_; }
  // The jump goes back by 2^level - 1 versions of the key, or to the first.
  uint32_t level() const { return static_cast<uint32_t>(links_ >> kLevelShift) & kLevelMax; }
  // Null: a trigger.
  KeyEntry* entry() const {
    return reinterpret_cast<KeyEntry*>((links_ & kEntryMask) << kEntryUnusedBits);
  }

  // Before readers see it. `jump` is `previous` or before it.
  void link(KeyEntry* entry, Version previous, Version jump, uint32_t level);

 private:
  static constexpr int kEntryUnusedBits = 3;                 // entries are aligned to 8 bytes ...
  static constexpr int kLevelShift = 48 - kEntryUnusedBits;  // ... below 2^48
  static constexpr int kPreviousShift = kLevelShift + 6;
  static_assert(kPreviousShift + kVersionBits - 32 == 64);
  static constexpr uint64_t kEntryMask = (uint64_t{1} << kLevelShift) - 1;
  static constexpr uint32_t kLevelMax = 63;
  static constexpr uint32_t kNoJump = UINT32_MAX;

  uint64_t links_;  // from bit 0: the entry, the level, the high bits of `previous`
  uint32_t previous_low_;
  uint32_t jump_gap_;  // from `previous` back
};
static_assert(sizeof(VersionSlot) == 32);

class VersionSlots {
 public:
  // `keeps_next`: next_of() is asked for.
  VersionSlots(Reclaimer& reclaimer, bool keeps_next);
  ~VersionSlots();

  // Null: pruned with its whole page, or never given.
  VersionSlot* find(Version version) const {
    const Page* page = page_of(version);
    return page == nullptr ? nullptr : const_cast<VersionSlot*>(&page->slots[version % kPageSlots]);
  }
  // Brings near what changes when another version of its key comes, or when it goes. Writer only.
  void fetch(Version version) const {
    const Page* page = page_of(version);
    if (page == nullptr) return;
    __builtin_prefetch(&page->slots[version % kPageSlots]);
    if (keeps_next_)
      __builtin_prefetch(&static_cast<const PageWithNext*>(page)->next_gaps[version % kPageSlots]);
  }
  Location read(const VersionSlot& slot) const {
    return Location(slot.location.load(std::memory_order_acquire));
  }
  // Newest version of [1, newest] whose time is at most `time`; within pruned pages: their first.
  Version at_time(Micros time, Version newest) const;

  // Gives the next version, which is `version`, its slot, and makes it the newest of its key,
  // behind `previous` (0: there is none). It counts as retained.
  VersionSlot& append(Version version, Micros time, KeyEntry* entry, Version previous,
                      Location location);
  // Versions from `first` to `last` were pruned before they came here: they get no slot of use.
  void skip(Version first, Version last, Micros time);
  static bool is_skipped(const VersionSlot& slot) { return slot.level() == 0; }
  // Writer only: the next version of the same key; 0: none, or too far.
  Version next_of(Version version) const;
  // `version` needs no slot any more: nothing reads but its absence.
  void release(Version version);
  // Versions up to this one may have lost their slots.
  Version compacted() const { return compacted_; }
  uint64_t page_bytes() const { return pages_ * page_size_; }

 private:
  static constexpr size_t kPageSlots = 256;
  static constexpr size_t kFolderPages = size_t{1} << 16;
  static constexpr size_t kFolders = size_t{1} << 20;
  static constexpr Version kVersionsMax = Version{kPageSlots} * kFolderPages * kFolders;

  struct alignas(64) Page {
    VersionSlot slots[kPageSlots];
    uint32_t live;   // writer only
    uint32_t given;  // writer only
  };
  struct PageWithNext : Page {
    uint32_t next_gaps[kPageSlots];  // writer only; 0: none, or too far
  };
  static_assert(kVersionsMax <= Version{1} << VersionSlot::kVersionBits, "a slot holds it");
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
  void open_page(Version version, Micros time);
  VersionSlot& push(Version version, Micros time);
  void link(VersionSlot& slot, KeyEntry* entry, Version version, Version previous);
  PageRef& make_ref(Version version);
  Page& make_page(PageRef& ref, Version version, Micros time);
  void unlink_if_done(PageRef& ref, Version version);

  uint32_t& next_gap(Version version) const;

  Reclaimer& reclaimer_;
  const bool keeps_next_;
  const size_t page_size_;
  LazyArray<std::atomic<PageRef*>> folders_;
  std::vector<PageRef*> made_folders_;
  std::vector<std::byte*> slabs_;
  std::vector<Page*> spare_;
  // The last page that push() gave a slot of: it stays linked until all its slots are given.
  Page* open_page_ = nullptr;
  uint64_t open_index_ = UINT64_MAX;
  size_t pages_ = 0;
  Version compacted_ = 0;
};

// What every version goes through is short enough to be part of its caller.

inline void VersionSlot::link(KeyEntry* entry, Version previous, Version jump, uint32_t level) {
  const auto pointer = reinterpret_cast<uint64_t>(entry);
  const uint64_t kept = std::rotr(pointer, kEntryUnusedBits);
  FRESHET_CHECK((kept & ~kEntryMask) == 0);
  FRESHET_CHECK_VALUES(level <= kLevelMax && jump <= previous, level, jump);
  links_ = kept | uint64_t{level} << kLevelShift | previous >> 32 << kPreviousShift;
  previous_low_ = static_cast<uint32_t>(previous);
  const Version gap = previous - jump;
  jump_gap_ = gap < kNoJump ? static_cast<uint32_t>(gap) : kNoJump;
}

inline VersionSlot& VersionSlots::push(Version version, Micros time) {
  if (version / kPageSlots != open_index_) [[unlikely]]
    open_page(version, time);
  Page& page = *open_page_;
  page.given++;
  page.live++;
  if (keeps_next_) static_cast<PageWithNext&>(page).next_gaps[version % kPageSlots] = 0;
  return page.slots[version % kPageSlots];
}

// Jump pointers after Myers (1983): the jump goes as far as two jumps of equal length before it
// went together.
inline void VersionSlots::link(VersionSlot& slot, KeyEntry* entry, Version version,
                               Version previous) {
  if (previous == 0) return slot.link(entry, 0, 0, 1);
  const VersionSlot* before = find(previous);
  FRESHET_CHECK(before != nullptr);
  if (keeps_next_) {
    const Version gap = version - previous;
    next_gap(previous) = gap <= UINT32_MAX ? static_cast<uint32_t>(gap) : 0;
  }
  const Version jump = before->jump();
  const VersionSlot* jumped = jump == 0 ? nullptr : find(jump);
  const bool are_equal = jumped != nullptr && jumped->level() == before->level();
  if (are_equal) {
    slot.link(entry, previous, jumped->jump(), before->level() + 1);
  } else {
    slot.link(entry, previous, previous, 1);
  }
}

inline VersionSlot& VersionSlots::append(Version version, Micros time, KeyEntry* entry,
                                         Version previous, Location location) {
  VersionSlot& slot = push(version, time);
  slot.time = time;
  link(slot, entry, version, previous);
  slot.location.store(location.bits(), std::memory_order_release);
  return slot;
}

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_VERSION_SLOTS_H_
