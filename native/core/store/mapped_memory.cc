#include "native/core/store/mapped_memory.h"

#include <sys/mman.h>

#include <cerrno>

#include "native/core/check.h"

namespace freshet {

std::byte* map_memory(size_t size, PageUse use) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  FRESHET_CHECK_VALUES(memory != MAP_FAILED, size, errno);
  if (use == PageUse::kHuge) (void)::madvise(memory, size, MADV_HUGEPAGE);
  return static_cast<std::byte*>(memory);
}

void unmap_memory(std::byte* memory, size_t size) {
  if (::munmap(memory, size) == 0) return;
  // A part may be refused where the process has as many mappings as it may: its pages go, and its
  // addresses stay.
  FRESHET_CHECK_VALUES(errno == ENOMEM, size, errno);
  FRESHET_CHECK_VALUES(::madvise(memory, size, MADV_DONTNEED) == 0, size, errno);
}

}  // namespace freshet
