// Frees what the writer unlinked once no reader can see it (epoch-based reclamation: Fraser,
// "Practical lock-freedom", 2004).
//
// Threads: retire and collect from the writer; enter and leave from the thread that opened the
// slot.
// Invariants
//  1. What is retired in grace period g is freed only when every reader inside entered after g.
//  2. A reader's entry is visible to the writer before the reader loads any shared pointer.
#ifndef FRESHET_CORE_STORE_RECLAIMER_H_
#define FRESHET_CORE_STORE_RECLAIMER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "native/core/limits.h"

namespace freshet {

class Reclaimer {
 public:
  using Free = void (*)(void* owner, void* object);

  Reclaimer() = default;
  ~Reclaimer();  // nothing may be retired any more
  Reclaimer(const Reclaimer&) = delete;
  Reclaimer& operator=(const Reclaimer&) = delete;

  int open_reader();  // -1: kReadersMax are open
  void close_reader(int slot);
  void enter(int slot);
  void leave(int slot);

  // `object` is unlinked: no reader that enters from now on can find it.
  void retire(Free free, void* owner, void* object);
  void collect();      // frees what is safe; cheap when nothing is retired
  void collect_all();  // frees everything; no reader may be inside
  bool has_readers_inside() const;
  bool has_retired() const { return !retired_.empty(); }

 private:
  struct alignas(64) ReaderSlot {
    std::atomic<uint64_t> period{0};  // 0: outside
    std::atomic<bool> open{false};
  };
  struct Retired {
    uint64_t period;
    Free free;
    void* owner;
    void* object;
  };

  std::atomic<uint64_t> period_{1};
  std::array<ReaderSlot, kReadersMax> readers_;
  std::vector<Retired> retired_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_RECLAIMER_H_
