// How few members of a shard answer goes with the view, not with what its event loop says of it.
#include <algorithm>
#include <string>
#include <vector>

#include "native/core/view/view.h"
#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr size_t kPutsBefore = 200;

std::vector<std::byte> encoded(const View& view) {
  std::vector<std::byte> bytes(encoded_size(view));
  encode_view(view, bytes);
  return bytes;
}

View first_view(MemberGroup& group, uint8_t members_min) {
  View view;
  view.number = 1;
  ViewShard shard;
  shard.shard = kGroupShard;
  shard.epoch = 1;
  shard.members_min = members_min;
  for (size_t i = 0; i < group.size(); i++) {
    const Seat seat = static_cast<Seat>(i);
    view.members.push_back({{group[i].node(), group[i].member().incarnation()}, seat});
    shard.members.push_back(seat);
    shard.senders.push_back(static_cast<Rank>(i));
  }
  view.shards = {shard};
  return view;
}

// Of `before`, with the shard at member 1 alone.
View view_of_one(const View& before, uint8_t members_min) {
  View view = before;
  view.number = 2;
  view.parent = 1;
  view.shards[0] = {.shard = kGroupShard, .epoch = 2, .members = {0}, .senders = {0}};
  view.shards[0].members_min = members_min;
  return view;
}

void begin(MemberGroup& group, const View& view) {
  for (size_t i = 0; i < group.size(); i++) EXPECT(is_ok(group[i].prepare_epoch(1, {1, 2, 3})));
  for (size_t i = 0; i < group.size(); i++) {
    const Token token = group[i].next_token();
    const Status called = group[i].member().begin_view(encoded(view), kGroupRing, token);
    EXPECT(is_ok(group[i].finish(called, token)));
  }
}

// How many puts of members 2 and 3, which leave the shard beside them, were answered so.
size_t count_answers(uint8_t min_before, uint8_t min_after, Status status) {
  MemberGroup group(false);
  group.open();
  const View view = first_view(group, min_before);
  begin(group, view);
  group.make_pool();
  std::vector<Token> tokens;
  const Token proposed = group[0].next_token();
  size_t left = 0;
  for (size_t number = 0; left == 0; number++) {
    for (const size_t i : {size_t{1}, size_t{2}}) {
      const std::string key = "/k/" + std::to_string(i) + "/" + std::to_string(number);
      const Token token = group[i].put(key, "value", Ack::kDelivered);
      if (i == 1) tokens.push_back(token);
    }
    if (number == kPutsBefore) {
      const Status called =
          group[0].member().propose_view(encoded(view_of_one(view, min_after)), proposed);
      EXPECT(is_ok(group[0].finish(called, proposed)));
    }
    group[1].drain();
    const Token oldest = tokens[tokens.size() - std::min(tokens.size(), kPutsBefore)];
    if (group[1].is_answered(oldest)) left += group[1].answers.at(oldest).status != Status::kOk;
  }
  EXPECT(group.until([&] { return group[1].member().outstanding() == 0; }));
  size_t count = 0;
  for (const Token token : tokens) count += group[1].answers.at(token).status == status;
  return count;
}

}  // namespace

TEST(who_leaves_a_shard_that_may_have_fewer_members_from_then_on_learns_what_was_done) {
  for (int round = 0; round < 5; round++)
    EXPECT_EQ(count_answers(3, 1, Status::kShardStopped), size_t{0});
}

// What was answered before it left is not counted, and that may be all.
TEST(who_leaves_a_shard_that_then_has_too_few_members_does_not) {
  size_t stopped = 0;
  for (int round = 0; round < 100 && stopped == 0; round++)
    stopped = count_answers(1, 3, Status::kShardStopped);
  EXPECT(stopped > 0);
}
