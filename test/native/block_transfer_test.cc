// One large message among simulated members: blocks and rows in order within a pair, at any pace,
// lost with their connection. FRESHET_SEED=n runs from seed n.
#include "native/core/block_transfer.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <set>
#include <string>
#include <tuple>

#include "native/io/seeded_random.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

// A fault in the harness that its checks must find.
enum class Canary : uint8_t {
  kNone,
  kRowFirst,     // a row goes out before the blocks that it vouches for
  kNoRepeat,     // what a lost connection lost is not written again
  kNoReadiness,  // a member shows a row before it has memory
};

struct Shape {
  uint64_t seed = 1;
  MulticastAlgorithm algorithm = MulticastAlgorithm::kBinomial;
  uint32_t members = 3;
  uint32_t blocks = 5;
  uint32_t lost_percent = 0;  // in each turn, a connection
  bool one_dies = false;
  Canary canary = Canary::kNone;
};

class Transfer {
 public:
  explicit Transfer(const Shape& shape)
      : shape_(shape),
        random_(shape.seed),
        schedule_(shape.algorithm, shape.members, shape.blocks),
        ways_(shape.members, std::vector<Way>(shape.members)) {
    for (uint32_t m = 0; m < shape.members; m++) {
      members_.emplace_back(schedule_, m);
      members_[m].begins_at = m == 0 ? 0 : random_.below(40);
      members_[m].blocks.assign(shape.blocks, 0);
      members_[m].slow = random_.chance(20);
    }
    for (uint32_t b = 0; b < shape.blocks; b++) members_[0].blocks[b] = value_of(b);
    if (shape.one_dies && shape.members > 1) {
      victim_ = random_.below(shape.members);
      dies_at_ = random_.below(30 + shape.blocks * 10);
    }
  }

  // Until nothing moves any more.
  void run() {
    const uint64_t calm = 2000 + uint64_t{200} * shape_.members * shape_.blocks;
    for (uint64_t idle = 0; idle < 100 && turn_ < 2 * calm && violations.empty(); turn_++) {
      if (turn_ <= calm) lose_some(turn_ == calm);
      bool moved = turn_ < 50;
      for (uint32_t m = 0; m < shape_.members; m++) moved = step(m) || moved;
      moved = arrive() || moved;
      idle = moved ? 0 : idle + 1;
    }
    if (shape_.one_dies) return;
    for (Member& member : members_)
      if (!member.machine.has_all() || !member.machine.has_sent_all())
        violation("stands still before all have all");
    if (moves.size() != expected().size() || moves != expected())
      violation("what was sent is not the schedule");
  }

  using Move = std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>;  // step, from, to, block
  std::set<Move> moves;
  std::vector<std::string> violations;
  uint64_t repeats = 0;

 private:
  struct Member {
    Member(const MulticastSchedule& schedule, uint32_t me) : machine(schedule, me) {}
    BlockTransfer machine;
    std::vector<uint64_t> blocks;
    uint64_t begins_at = 0;
    bool slow = false;
    bool changed = true;
    uint32_t filled = 0;
  };
  struct Item {
    uint64_t at;
    bool is_row;
    uint32_t block;
    TransferSteps row;
  };
  struct Way {
    std::deque<Item> items;
    bool up = true;
    bool again = false;    // it was lost since the row was last written
    bool has_row = false;  // a row is to be written
    uint64_t last = 0;
  };

  uint64_t value_of(uint32_t block) const { return shape_.seed * 1000 + block + 1; }
  bool is_dead(uint32_t m) const { return shape_.one_dies && m == victim_ && turn_ >= dies_at_; }
  bool is_begun(const Member& member) const { return turn_ >= member.begins_at; }
  void violation(const std::string& text) { violations.push_back(text); }

  void push(uint32_t from, uint32_t to, Item item) {
    Way& way = ways_[from][to];
    if (!way.up) return;
    way.last = std::max(way.last, turn_ + random_.below(random_.chance(10) ? 30 : 4));
    item.at = way.last;
    way.items.push_back(item);
  }

  bool step(uint32_t m) {
    Member& member = members_[m];
    if (is_dead(m) || (member.slow && random_.chance(70))) return false;
    if (!is_begun(member)) {
      if (shape_.canary == Canary::kNoReadiness) push_rows(m);
      return false;
    }
    if (m == 0 && member.filled < shape_.blocks && random_.chance(60))
      member.machine.fill(++member.filled);
    const TransferSteps before = member.machine.shown();
    member.machine.take();
    check(member);
    RankSet held = 0;
    for (uint32_t peer = 0; peer < shape_.members; peer++)
      if (random_.chance(10)) held |= RankSet{1} << peer;
    std::vector<BlockTransfer::Send> sends;
    while (const auto send = member.machine.next(held)) {
      if ((held >> send->to & 1) != 0) violation("written to a member that is held");
      moves.insert({send->step, m, send->to, send->block});
      sends.push_back(*send);
    }
    const TransferSteps now = member.machine.shown();
    if (before.sent != now.sent || before.got != now.got) member.changed = true;
    if (shape_.canary == Canary::kRowFirst) push_rows(m);
    for (const auto& send : sends) push(m, send.to, {0, false, send.block, {}});
    push_rows(m);
    for (uint32_t peer = 0; peer < shape_.members; peer++) check_credit(peer);
    return !sends.empty() || before.got != now.got || (m == 0 && member.filled < shape_.blocks);
  }

  void push_rows(uint32_t m) {
    Member& member = members_[m];
    for (uint32_t peer = 0; peer < shape_.members; peer++) {
      Way& way = ways_[m][peer];
      if (peer == m) continue;
      way.has_row = way.has_row || member.changed;
      if (!way.up || !way.has_row) continue;
      if (way.again && shape_.canary != Canary::kNoRepeat) {
        for (const auto& send : member.machine.unconfirmed(peer)) {
          repeats++;
          push(m, peer, {0, false, send.block, {}});
        }
      }
      way.again = way.has_row = false;
      push(m, peer, {0, true, 0, member.machine.shown()});
    }
    member.changed = false;
  }

  bool arrive() {
    bool any = false;
    for (uint32_t from = 0; from < shape_.members; from++)
      for (uint32_t to = 0; to < shape_.members; to++) {
        auto& items = ways_[from][to].items;
        for (; !items.empty() && items.front().at <= turn_; items.pop_front()) {
          any = true;
          take(from, to, items.front());
        }
      }
    return any;
  }

  void take(uint32_t from, uint32_t to, const Item& item) {
    Member& member = members_[to];
    if (is_dead(to)) return;
    if (item.is_row) {
      if (!member.machine.see(from, item.row)) violation("a row that cannot be");
      return;
    }
    if (!is_begun(member)) violation("a block for a member that has no memory");
    // Read where it lies, as it is now.
    member.blocks[item.block] = members_[from].blocks[item.block];
  }

  void check(const Member& member) {
    for (uint32_t b = 0; b < shape_.blocks; b++)
      if (member.machine.has(b) && member.blocks[b] != value_of(b))
        violation("a block is taken as here that is not");
  }

  void check_credit(uint32_t to) {
    if (shape_.lost_percent > 0) return;  // repeats come beside
    size_t under_way = 0;
    for (uint32_t from = 0; from < shape_.members; from++)
      for (const Item& item : ways_[from][to].items) under_way += item.is_row ? 0 : 1;
    if (under_way > kStepsAhead) violation("more blocks under way than a member has credit for");
  }

  // With `heal` all connections are made again.
  void lose_some(bool heal) {
    for (uint32_t a = 0; a < shape_.members; a++)
      for (uint32_t b = 0; b < a; b++) {
        const bool up = ways_[a][b].up;
        const bool stays = up ? !random_.chance(shape_.lost_percent) : !random_.chance(20);
        if (heal ? up : stays) continue;
        for (Way* way : {&ways_[a][b], &ways_[b][a]}) {
          way->items.clear();
          way->up = !up;
          way->again = way->has_row = true;
        }
      }
  }

  std::set<Move> expected() const {
    std::set<Move> result;
    for (uint32_t step = 0; step < schedule_.steps(); step++)
      for (uint32_t m = 0; m < shape_.members; m++)
        if (const auto sent = schedule_.send(m, step))
          result.insert({step, m, sent->peer, sent->block});
    return result;
  }

  const Shape shape_;
  SeededRandom random_;
  const MulticastSchedule schedule_;
  std::vector<Member> members_;
  std::vector<std::vector<Way>> ways_;
  uint64_t turn_ = 0;
  uint64_t victim_ = 0;
  uint64_t dies_at_ = 0;
};

constexpr uint64_t kSeeds = 150;  // a test

Shape shape_of(uint64_t number) {
  SeededRandom random(number * 31);
  Shape shape;
  shape.seed = number;
  shape.algorithm = static_cast<MulticastAlgorithm>(random.below(kMulticastAlgorithms));
  shape.members = static_cast<uint32_t>(1 + random.below(kMembersMax));
  shape.blocks = static_cast<uint32_t>(1 + random.below(random.chance(50) ? 4 : 40));
  return shape;
}

void expect_clean(const Shape& shape, const Transfer& transfer) {
  for (const std::string& text : transfer.violations)
    fail(__FILE__, __LINE__, "seed " + std::to_string(shape.seed) + ": " + text);
}

TEST(everybody_gets_everything_by_the_schedule) {
  const uint64_t first = seed(1);
  for (uint64_t i = 0; i < kSeeds; i++) {
    const Shape shape = shape_of(first + i);
    Transfer transfer(shape);
    transfer.run();
    expect_clean(shape, transfer);
  }
}

TEST(lost_connections_lose_nothing) {
  const uint64_t first = seed(1);
  uint64_t repeats = 0;
  for (uint64_t i = 0; i < kSeeds; i++) {
    Shape shape = shape_of(first + i);
    shape.lost_percent = 2;
    Transfer transfer(shape);
    transfer.run();
    expect_clean(shape, transfer);
    repeats += transfer.repeats;
  }
  EXPECT(repeats > 0);
}

TEST(a_member_that_dies_midway_leaves_no_wrong_block) {
  const uint64_t first = seed(1);
  for (uint64_t i = 0; i < kSeeds; i++) {
    Shape shape = shape_of(first + i);
    shape.one_dies = true;
    shape.lost_percent = i % 2 == 0 ? 1 : 0;
    Transfer transfer(shape);
    transfer.run();
    expect_clean(shape, transfer);
  }
}

// Is the fault found in some seed?
bool is_caught(Canary canary) {
  for (uint64_t i = 1; i <= 40; i++) {
    Shape shape = shape_of(i);
    shape.lost_percent = canary == Canary::kNoRepeat ? 2 : 0;
    shape.canary = canary;
    Transfer transfer(shape);
    transfer.run();
    if (!transfer.violations.empty()) return true;
  }
  return false;
}

TEST(canary_a_row_before_its_blocks_is_caught) { EXPECT(is_caught(Canary::kRowFirst)); }
TEST(canary_lost_blocks_not_written_again_are_caught) { EXPECT(is_caught(Canary::kNoRepeat)); }
TEST(canary_a_row_without_memory_is_caught) { EXPECT(is_caught(Canary::kNoReadiness)); }

TEST(rows_that_cannot_be_are_refused) {
  const MulticastSchedule schedule(MulticastAlgorithm::kBinomial, 4, 3);
  BlockTransfer machine(schedule, 1);
  EXPECT(machine.see(0, {2, 1}));
  EXPECT(!machine.see(0, {1, 1}));
  EXPECT(!machine.see(0, {2, 0}));
  EXPECT(!machine.see(0, {schedule.steps() + 1, 1}));
  EXPECT(!machine.see(2, {0, schedule.steps() + 1}));
  EXPECT(machine.see(0, {schedule.steps(), schedule.steps()}));
}

}  // namespace
}  // namespace freshet::test
