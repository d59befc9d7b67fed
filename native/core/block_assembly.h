// Puts the delivered blocks of one sender's large record together in the store's memory.
//
// Thread: the agent's.
// Invariants
//  1. At most one record is open; the pieces fit it exactly (a peer that breaks this is at fault).
#ifndef FRESHET_CORE_BLOCK_ASSEMBLY_H_
#define FRESHET_CORE_BLOCK_ASSEMBLY_H_

#include <cstdint>

#include "native/core/ring_record.h"
#include "native/core/store/store.h"

namespace freshet {

class BlockAssembly {
 public:
  // Takes the next delivered block; `done` with the last, whose result is in `applied`.
  RingFault deliver(Store& store, Rank sender, const std::byte* block, Epoch epoch,
                    Sequence sequence, bool& done, Applied& applied);
  // The rest will never come.
  void abandon(Store& store, Rank sender);

 private:
  MutableBytes room_;    // empty: the store had none, and refuses at the end
  uint64_t length_ = 0;  // of the open record; 0: none
  uint64_t filled_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_BLOCK_ASSEMBLY_H_
