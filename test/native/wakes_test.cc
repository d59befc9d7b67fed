// Members are stepped as their agents step them: who did something, or was written to, and nobody
// else. So a pass that ends early has to say that there is more to do.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "native/io/seeded_random.h"
#include "test/native/support/direct_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr size_t kTurnsOfRing = 6;

DirectConfig config_of(SeededRandom& random) {
  DirectConfig config;
  config.members = 1 + random.below(4);
  config.senders = 1 + random.below(config.members);
  config.ring_size = kRingSizeMin << random.below(8);  // to kRingSizeMax
  config.block_size = static_cast<uint32_t>(kBlockSizeMin << random.below(7));
  config.multicast = static_cast<MulticastAlgorithm>(random.below(kMulticastAlgorithms));
  return config;
}

class Stepped {
 public:
  explicit Stepped(uint64_t seed)
      : random_(seed), config_(config_of(random_)), group_(config_), due_(config_.members) {
    group_.set_rules(0);
    group_.on_write = [this](size_t, const RegionWrite& write) { due_[write.peer - 1] = true; };
    window_ = 1 + random_.below(6);
  }

  // Bursts of one sender after the other, some of which meet the end of those before.
  void run() {
    size_t bytes = 0;
    while (bytes < kTurnsOfRing * config_.ring_size) {
      const size_t member = random_.below(config_.senders);
      for (size_t i = 1 + random_.below(window_); i > 0; i--) bytes += put(member);
      if (!random_.chance(40)) {
        step(random_.below(20));
        continue;
      }
      step(UINT64_MAX);
      if (unanswered() > 0) return;
    }
    step(UINT64_MAX);
  }

  size_t unanswered() const {
    return static_cast<size_t>(std::ranges::count_if(
        values_, [&](const auto& one) { return group_.answered(one.first) != 1; }));
  }
  size_t puts() const { return values_.size(); }

 private:
  // What it takes. Nothing is put where a queue is full.
  size_t put(size_t member) {
    // As long as a record of the ring may be, short, or longer.
    const size_t most = (config_.ring_size / kRingInlineDivisor) >> random_.below(3) * 4;
    std::vector<std::byte> value(1 + random_.below(random_.chance(10) ? 2 * most : most));
    const Token token = next_++;
    const size_t size = value.size();
    Bytes bytes = values_.emplace(token, std::move(value)).first->second;
    const Status status =
        group_.put(member, std::string(1, static_cast<char>('a' + token % 26)), bytes, token);
    if (!is_ok(status)) {
      EXPECT_EQ(status, Status::kOverloaded);
      values_.erase(token);
    }
    due_[member] = true;
    return size;
  }

  void step(uint64_t most) {
    for (; most > 0; most--) {
      std::vector<size_t> due;
      for (size_t m = 0; m < due_.size(); m++)
        if (due_[m]) due.push_back(m);
      if (due.empty()) return;
      const size_t m = due[random_.below(due.size())];
      due_[m] = false;
      if (group_.step(m) > 0) due_[m] = true;
    }
  }

  SeededRandom random_;
  DirectConfig config_;
  DirectGroup group_;
  std::vector<bool> due_;
  size_t window_ = 1;
  Token next_ = 1;
  std::map<Token, std::vector<std::byte>> values_;
};

}  // namespace

TEST(once_nobody_has_work_everything_is_answered) {
  for (uint64_t seed = 1; seed <= 150; seed++) {
    Stepped stepped(seed);
    stepped.run();
    EXPECT_EQ(stepped.unanswered(), size_t{0});
    EXPECT(stepped.puts() > 5);
  }
}

}  // namespace freshet::test
