// Who is silent for too long, by heartbeats that come evenly, late, unevenly, or not at all.
#include "native/core/view/failure_detector.h"

#include "native/io/seeded_random.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr Nanos kMs = 1'000'000;
constexpr NodeId kPeer = 2;

// A peer that shows a row now and then to one who looks every millisecond.
class Watched {
 public:
  explicit Watched(DetectorLimits limits = {}) : detector(limits) { detector.add(kPeer, now_); }

  // A heartbeat after `wait`; its event loop turns with it, or stands still.
  void beat(Nanos wait, bool loop_turns = true) {
    pass(wait);
    if (loop_turns) loop_++;
    detector.observe(kPeer, ++stamp_, loop_, now_);
  }
  void pass(Nanos time) {
    for (const Nanos end = now_ + time; now_ < end;) {
      now_ += kMs;
      (void)detector.pass(now_);
    }
  }
  // This one stands still itself.
  bool pause(Nanos time) {
    now_ += time;
    return detector.pass(now_);
  }
  bool is_silent() const { return detector.is_silent(kPeer, now_); }
  bool has_loop_stopped() const { return detector.has_loop_stopped(kPeer, now_); }
  Nanos patience() const { return detector.patience(kPeer); }
  bool is_heard() const { return detector.is_heard(kPeer, now_); }

  FailureDetector detector;

 private:
  Nanos now_ = 1'000 * kMs;
  uint64_t stamp_ = 0;
  uint64_t loop_ = 0;
};

}  // namespace

TEST(one_that_beats_evenly_is_silent_after_the_least_silence) {
  const DetectorLimits limits;
  Watched peer;
  for (int i = 0; i < 100; i++) peer.beat(100 * kMs);
  EXPECT_EQ(peer.patience(), limits.silence_min);
  peer.pass(limits.silence_min);
  EXPECT(!peer.is_silent());
  EXPECT(!peer.is_heard());
  peer.pass(kMs);
  EXPECT(peer.is_silent());
  peer.beat(kMs);
  EXPECT(!peer.is_silent());
  EXPECT(peer.is_heard());
}

TEST(one_that_never_shows_a_row_is_silent_from_when_it_was_added) {
  Watched peer;
  peer.pass(1'200 * kMs);
  EXPECT(!peer.is_silent());
  peer.pass(kMs);
  EXPECT(peer.is_silent());
  EXPECT(!peer.is_heard());
}

TEST(one_that_beats_unevenly_is_given_more_time_and_less_again) {
  const DetectorLimits limits;
  Watched peer;
  SeededRandom random(7);
  for (int i = 0; i < 100; i++) {
    peer.beat(static_cast<Nanos>(50 + random.below(600)) * kMs);
    EXPECT(!peer.is_silent());
  }
  const Nanos patience = peer.patience() / kMs * kMs;
  EXPECT(patience > limits.silence_min + 200 * kMs);
  EXPECT(patience <= limits.silence_max);
  peer.pass(patience);
  EXPECT(!peer.is_silent());
  peer.pass(kMs);
  EXPECT(peer.is_silent());
  for (int i = 0; i < 100; i++) peer.beat(100 * kMs);
  EXPECT_EQ(peer.patience(), limits.silence_min);
}

TEST(however_unevenly_it_beats_there_is_an_end_to_patience) {
  const DetectorLimits limits;
  Watched peer;
  for (int i = 0; i < 50; i++) peer.beat((i % 2 == 0 ? 100 : 4'000) * kMs);
  EXPECT_EQ(peer.patience(), limits.silence_max);
  peer.pass(limits.silence_max);
  EXPECT(!peer.is_silent());
  peer.pass(kMs);
  EXPECT(peer.is_silent());
}

TEST(a_loop_that_stands_still_is_seen_while_its_threads_live) {
  const DetectorLimits limits;
  Watched peer;
  for (int i = 0; i < 20; i++) peer.beat(100 * kMs);
  for (Nanos still = 0; still < limits.loop_silence; still += 100 * kMs) {
    peer.beat(100 * kMs, false);
    EXPECT(!peer.has_loop_stopped());
  }
  peer.beat(100 * kMs, false);
  EXPECT(peer.has_loop_stopped());
  EXPECT(!peer.is_silent());
  peer.beat(100 * kMs);
  EXPECT(!peer.has_loop_stopped());
}

// Who was away itself has not looked, which is no silence of the others.
TEST(after_a_pause_of_its_own_it_judges_nobody_by_the_time_before) {
  const DetectorLimits limits;
  Watched peer;
  for (int i = 0; i < 20; i++) peer.beat(100 * kMs);
  EXPECT(!peer.pause(limits.silence_min / 2));
  EXPECT(peer.pause(10 * limits.silence_max));
  EXPECT(!peer.is_silent());
  EXPECT(!peer.has_loop_stopped());
  peer.pass(limits.silence_min + kMs);
  EXPECT(peer.is_silent());
}

TEST(who_was_removed_is_not_silent_and_begins_anew) {
  Watched peer;
  for (int i = 0; i < 20; i++) peer.beat(100 * kMs);
  peer.detector.remove(kPeer);
  peer.pass(10'000 * kMs);
  EXPECT(!peer.is_silent());
  EXPECT(!peer.has_loop_stopped());
  peer.pass(kMs);
  peer.detector.add_if_new(kPeer, 11'000'000 * kMs);
  EXPECT(!peer.detector.is_silent(kPeer, 11'001'200 * kMs));
  EXPECT(peer.detector.is_silent(kPeer, 11'001'201 * kMs));
}
