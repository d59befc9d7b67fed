// Members of one shard epoch that lose some of their number: writes travel in order per pair and at
// any pace, members crash at any moment, suspicions spread as core/README.md says (steps 1, 3 and 4
// of "From one view to the next"). What the view would decide beyond that is left out: whoever is
// suspected is removed. See epoch_end_test.cc.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_ENDING_GROUP_H_
#define FRESHET_TEST_NATIVE_SUPPORT_ENDING_GROUP_H_

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "native/core/hybrid_clock.h"
#include "native/core/shard_replica.h"
#include "native/core/store/store.h"
#include "native/io/seeded_random.h"

namespace freshet::test {

// A rule that is broken on purpose; a checker must find it.
enum class EndCanary : uint8_t {
  kNone,
  kAlone,            // a trim is acted on before every survivor shows it
  kSuspectFirst,     // a suspicion is shown before the trim that was copied with it
  kDisagree,         // a trim is acted on by those who suspect others than the majority does
  kWithoutMajority,  // members that are no majority choose a trim
  kEarlyWedge,       // `wedged` is shown before `received` stands still
};

struct EndingConfig {
  uint64_t seed = 1;
  EndCanary canary = EndCanary::kNone;
};

struct EndingResult {
  std::vector<std::string> violations;
  uint64_t trace = 0;
  uint64_t beyond = 0;  // versions that only the trim delivered
  // Crashes by what the member was doing; [1]: it was the lowest that was left.
  std::map<std::pair<EndPhase, bool>, uint64_t> crashes;
};

class EndingGroup {
 public:
  explicit EndingGroup(EndingConfig config);
  ~EndingGroup();
  EndingResult run();

 private:
  struct Write {
    RegionId region;
    uint64_t offset;
    std::vector<std::byte> bytes;
    RankSet suspects;  // of a suspicion, which has no bytes
  };
  struct Member {
    HybridClock clock;
    std::unique_ptr<Store> store;
    std::unique_ptr<ShardReplica> replica;
    std::vector<GrantedRegion> regions;
    Outputs out;
    std::vector<std::deque<Write>> inbox;    // by sender
    std::array<RankSet, kMembersMax> shown;  // suspects by row; mine among them
    bool alive = true;
    bool gate = false;
    bool stopped = false;  // it saw itself suspected
    std::map<Token, Version> acknowledged;
  };

  void turn(Rank m);
  void deliver_one(Rank m);
  void send(Rank from, Rank to, Write write);
  void step(Rank m);
  void learn(Rank m, RankSet suspects);
  void show_suspects(Rank m);
  void show_wedged(Rank m);
  Survivors survivors_of(Rank m) const;
  bool agreed(Rank m) const;
  void submit(Rank m);
  void sync(Rank m);
  void crash(Rank m);
  void cut_off(Rank m);
  void lose_some(std::deque<Write>& queue);
  bool is_gone(Rank rank, Rank for_whom) const;
  bool goes_on(Rank m) const;
  bool is_majority(RankSet ranks) const;
  bool done() const;
  void check();
  void check_prefix(Rank m, Rank reference);
  void violation(const std::string& text) { result_.violations.push_back(text); }

  EndingConfig config_;
  SeededRandom random_;
  size_t senders_;
  bool persistent_;
  std::vector<std::unique_ptr<Member>> members_;
  RankSet crashed_ = 0;
  RankSet cut_off_ = 0;  // each by itself
  uint64_t next_token_ = 1;
  EndingResult result_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_ENDING_GROUP_H_
