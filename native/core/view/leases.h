// What I may rely on, and what I promised to others, in time.
//
// An echo of a peer's stamp is a promise: for a lease from when I gave it I take part in nothing
// that goes on without that peer. Who holds promises of a strict majority that are fresh enough may
// answer from what it has. (Gray and Cheriton, SOSP 1989; the echo makes one clock enough for each
// side, as long as clocks run alike within the drift.)
//
// Thread: the agent's.
#ifndef FRESHET_CORE_VIEW_LEASES_H_
#define FRESHET_CORE_VIEW_LEASES_H_

#include <array>

#include "native/core/view/view.h"

namespace freshet {

class Leases {
 public:
  explicit Leases(Nanos lease) : lease_(lease) {}

  // The time after which a lease has ended, on any clock that keeps to the drift of 1/1000.
  Nanos lapse() const { return lease_ + lease_ / 1000 + 1; }

  void promise(Seat to, Nanos now) { promised_[to] = now; }
  bool has_lapsed(Seat to, Nanos now) const { return now >= promised_[to] + lapse(); }
  // Somebody else sits there.
  void clear(Seat seat) { promised_[seat] = kLongAgo; }

  // Stamps up to this one give no lease any more.
  void restart(Nanos now) { from_ = now; }
  // When the lease ends that a strict majority of `of` gives; echoes[seat] is what that seat shows
  // of my stamps, 0 where its acknowledged view is another one than mine.
  Nanos held_until(const std::array<uint64_t, kMembersMax>& echoes, SeatSet of) const;

 private:
  static constexpr Nanos kLongAgo = INT64_MIN / 2;

  const Nanos lease_;
  Nanos from_ = 0;
  std::array<Nanos, kMembersMax> promised_ = [] {
    std::array<Nanos, kMembersMax> result;
    result.fill(kLongAgo);
    return result;
  }();
};

}  // namespace freshet

#endif  // FRESHET_CORE_VIEW_LEASES_H_
