#include "native/core/lag_watch.h"

#include <algorithm>

namespace freshet {

void LagWatch::begin(Nanos now, Nanos patience) {
  const bool paused = now_ != 0 && now - now_ > patience / 2;
  now_ = now;
  patience_ = patience;
  if (!paused) return;
  for (Waits& waits : waits_)
    for (Wait& wait : waits) wait.since = now;
}

void LagWatch::look(Rank member, NodeId node, const LagCounts& mine, const LagCounts& theirs,
                    bool heard, std::vector<Lag>& out) {
  for (size_t kind = 0; kind < kLagKinds; kind++) {
    Wait& wait = waits_[member][kind];
    const Nanos waited = now_ - wait.since;
    const bool over = wait.mark != 0 && theirs[kind] >= wait.mark;
    const bool due = wait.told == 0 || (!over && now_ - wait.told >= kLagToldAgain);
    if (wait.mark != 0 && waited >= patience_ && due && (over || heard)) {
      out.push_back({node, static_cast<LagKind>(kind), waited, wait.lacked});
      wait.told = now_;
    }
    if (wait.mark != 0 && !over) continue;
    wait = {};
    if (mine[kind] > theirs[kind]) wait = {mine[kind], mine[kind] - theirs[kind], now_, 0};
  }
}

void LagWatch::excuse_all() { std::fill(waits_.begin(), waits_.end(), Waits{}); }

}  // namespace freshet
