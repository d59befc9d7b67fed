// Walks over sets of ranks.
//
// Thread: none.
#ifndef FRESHET_CORE_RANK_SET_H_
#define FRESHET_CORE_RANK_SET_H_

#include <bit>

#include "native/core/types.h"

namespace freshet {

// Calls `act(rank)` for each, the lowest first.
template <typename Act>
void for_each_rank(RankSet ranks, Act act) {
  for (; ranks != 0; ranks &= ranks - 1) act(static_cast<Rank>(std::countr_zero(ranks)));
}

}  // namespace freshet

#endif  // FRESHET_CORE_RANK_SET_H_
