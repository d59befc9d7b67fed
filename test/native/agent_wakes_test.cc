// Agents that nothing wakes but what they have to do: their heartbeats are an hour apart.
#include <chrono>
#include <thread>

#include "native/agent/row_output.h"
#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr Nanos kHour = 3'600'000'000'000;
constexpr size_t kPutsAtATime = 512;

struct Unhurried {
  Unhurried() : group(false) {
    for (size_t i = 0; i < group.size(); i++) group[i].set_heartbeat(kHour);
    group.open();
    group.start(1);
    group.make_pool();
  }

  void put(const std::string& key, size_t count) {
    while (count > 0) {
      Token last = 0;
      for (size_t i = std::min(count, kPutsAtATime); i > 0; i--, count--)
        last = first().put(key, "value", count == 1 || i == 1 ? Ack::kDelivered : Ack::kNone);
      EXPECT(group.until([&] { return first().is_answered(last); }));
    }
  }
  Status subscribe(const std::string& prefix) {
    const Token token = first().next_token();
    const auto frontier = Store::SubscriptionFrontier::kDelivered;
    return first().finish(
        first().member().subscribe(kGroupShard, 1, prefix, 1, frontier, {}, token), token);
  }
  TestMember& first() { return group[0]; }

  MemberGroup group;
};

// Until `count` does not grow any more. Who sleeps too early makes a test weaker, and no more.
template <typename Count>
void settle(Count count) {
  for (uint64_t before = UINT64_MAX; before != count();) {
    before = count();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
}

}  // namespace

TEST(events_that_found_no_room_come_when_there_is_some) {
  Unhurried members;
  constexpr size_t kPuts = 2 * kRowRingCapacity;
  members.put("/k/1", kPuts);
  EXPECT(is_ok(members.subscribe("/k/")));
  TestMember& first = members.first();
  while (first.events.size() < kPuts) {
    const size_t before = first.events.size();
    const AgentCounters& counters = first.member().counters();
    settle([&] { return counters.events.load(); });  // full, and its agent asleep
    EXPECT(members.group.until([&] { return first.events.size() > before; }));
    if (first.events.size() == before) return;
  }
  EXPECT_EQ(first.events.size(), kPuts);
}

TEST(a_subscription_goes_on_behind_much_that_it_does_not_match) {
  Unhurried members;
  members.put("/k/others", 6 * kRowRingCapacity);  // several looks
  members.put("/k/mine", 1);
  EXPECT(is_ok(members.subscribe("/k/mine")));
  EXPECT(members.group.until([&] { return !members.first().events.empty(); }));
}

TEST(messages_that_found_no_room_come_when_there_is_some) {
  Unhurried members;
  const std::vector<std::byte> message(size_t{256} << 10);
  const size_t messages = Inbox::kBytesMax / message.size() + 16;
  TestMember& first = members.first();
  for (size_t i = 0; i < messages; i++) {
    const auto is_sent = [&] {
      return is_ok(members.group[1].member().send_message(first.node(), message));
    };
    while (!is_sent()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  settle([&] { return first.member().counters().messages.load(); });
  EXPECT(first.member().counters().messages.load() < messages);
  EXPECT(members.group.until([&] { return first.messages >= messages; }));
  EXPECT_EQ(first.messages, messages);
}
