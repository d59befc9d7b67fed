// Clients at the native door of real members, whose event loops do nothing meanwhile.
#include <algorithm>
#include <cmath>
#include <map>
#include <thread>

#include "native/agent/door/door_limits.h"
#include "native/agent/door/key_check.h"
#include "test/native/support/door_client.h"
#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;
using door::FrameType;
using door::ReadLevel;

namespace {

const double kFromNow = std::nan("");
constexpr ReadLevel kLevels[] = {ReadLevel::kLocal, ReadLevel::kStable, ReadLevel::kLinearizable};

// Members whose event loops stand still from here on.
struct Standing {
  explicit Standing(bool persistent = false) : group(persistent) {
    group.open();
    group.start(1);
    group.make_pool();
  }
  uint16_t port(size_t member) { return group[member].member().door_port(); }

  MemberGroup group;
};

DoorClient enter(Standing& members, size_t member) {
  DoorClient client(members.port(member));
  DoorHello hello;
  hello.node = static_cast<NodeId>(member + 1);
  EXPECT_EQ(client.enter(hello), Status::kOk);
  return client;
}

Status status_of(DoorClient& client, double number) {
  const std::optional<DoorFrame> answer = client.answer_to(number);
  return answer ? answer->status() : Status::kPeerUnreachable;
}

std::string value_of(const DoorFrame& object) {
  return object.tail(sizeof(door::RecordFrame) + object.as<door::RecordFrame>().meta_length);
}

std::string newest(DoorClient& client, const std::string& key, ReadLevel level) {
  const std::optional<DoorFrame> answer = client.answer_to(client.get(key, level));
  if (!answer) return "connection lost";
  if (answer->head.type == FrameType::kDone) return status_name(answer->status());
  return value_of(*answer);
}

}  // namespace

TEST(puts_and_gets_go_on_without_event_loops) {
  Standing members;
  DoorClient first = enter(members, 0);
  DoorClient second = enter(members, 1);
  constexpr int kPuts = 3000;
  std::map<double, int> asked;
  for (int nth = 0; nth < kPuts; nth++)
    asked[first.put({"/k/" + std::to_string(nth % 100), "value " + std::to_string(nth)})] = nth;
  double version = 0;
  for (int nth = 0; nth < kPuts; nth++) {
    const std::optional<DoorFrame> answer = first.receive();
    EXPECT(answer && answer->head.type == FrameType::kDone && is_ok(answer->status()));
    if (!answer) return;
    const auto done = answer->as<door::DoneFrame>();
    EXPECT_EQ(asked.erase(done.number), size_t{1});
    EXPECT_EQ(done.version, version + 1);  // one client's puts keep their order
    version = done.version;
  }
  EXPECT(asked.empty());
  for (const ReadLevel level : kLevels)
    EXPECT_EQ(newest(first, "/k/7", level), "value " + std::to_string(kPuts - 93));
  EXPECT_EQ(newest(second, "/k/7", ReadLevel::kLinearizable),
            "value " + std::to_string(kPuts - 93));
  EXPECT_EQ(newest(second, "/k/none", ReadLevel::kLinearizable), std::string("NOT_FOUND"));
  const auto old = second.answer_to(
      second.get("/k/7", ReadLevel::kLinearizable, ReadPoint::Kind::kExactVersion, 8));
  EXPECT(old && value_of(*old) == "value 7");
}

TEST(what_was_persisted_is_answered_and_read) {
  Standing members(true);
  DoorClient client = enter(members, 2);
  DoorPut put{"/k/p/one", "first", Ack::kPersisted};
  EXPECT_EQ(status_of(client, client.put(put)), Status::kOk);
  put.value = "second";
  const auto answer = client.answer_to(client.put(put));
  EXPECT(answer && answer->as<door::DoneFrame>().previous_version_of_key == 1);
  for (const ReadLevel level : kLevels) EXPECT_EQ(newest(client, "/k/p/one", level), "second");
}

TEST(conditions_removes_and_sessions) {
  Standing members;
  DoorClient client = enter(members, 0);
  DoorPut put{"/k/c/one", "a"};
  put.extra = door::ChangeExtra{kFromNow, -1, 0, -1};
  EXPECT_EQ(status_of(client, client.put(put)), Status::kOk);
  const auto refused = client.answer_to(client.put(put));
  EXPECT(refused && refused->status() == Status::kConditionFailed &&
         refused->as<door::DoneFrame>().previous_version_of_key == 1);

  client.session(77);
  DoorPut once{"/k/c/two", "b"};
  once.request = 1;
  once.lowest_unanswered = 1;
  const auto made = client.answer_to(client.put(once));
  DoorClient other = enter(members, 1);
  other.session(77);
  const auto repeated = other.answer_to(other.put(once));
  EXPECT(made && repeated && is_ok(repeated->status()) &&
         made->as<door::DoneFrame>().version == repeated->as<door::DoneFrame>().version);

  const auto removed =
      client.answer_to(client.put({"/k/c/two", "", Ack::kDelivered, RecordKind::kRemove}));
  EXPECT(removed && removed->as<door::DoneFrame>().version == 3);
  const auto gone = client.answer_to(client.get("/k/c/two", ReadLevel::kLinearizable));
  EXPECT(gone && gone->head.type == FrameType::kObject && gone->head.flags == door::kObjectRemoved);
  // Nothing is answered to who does not ask for it, and it is there all the same.
  client.put({"/k/c/three", "c", Ack::kNone});
  EXPECT_EQ(status_of(client, client.put({"/k/c/four", "d"})), Status::kOk);
  EXPECT(client.others.empty());
  EXPECT_EQ(newest(client, "/k/c/three", ReadLevel::kLocal), std::string("c"));
}

TEST(strangers_are_refused_by_name) {
  Standing members;
  const auto knock = [&](DoorHello hello) {
    DoorClient client(members.port(0));
    return client.enter(hello);
  };
  EXPECT_EQ(knock({}), Status::kOk);
  EXPECT_EQ(knock({.node = 2}), Status::kNotAMember);
  EXPECT_EQ(knock({.cluster = 9}), Status::kWrongCluster);
  EXPECT_EQ(knock({.protocol = 2}), Status::kNewerFormat);
  EXPECT_EQ(knock({.secret = 3, .ticket = make_ticket(3, 3)}), Status::kUnauthenticated);
  EXPECT_EQ(knock({.ticket = make_ticket(2, 3, 1e12)}), Status::kUnauthenticated);  // long over
  EXPECT_EQ(knock({.proves = false}), Status::kUnauthenticated);
  door::Ticket raised = make_ticket(2, door::kMayRead);
  raised.rights = door::kMayRead | door::kMayChange;
  EXPECT_EQ(knock({.ticket = raised}), Status::kUnauthenticated);
  DoorClient reader(members.port(0));
  EXPECT_EQ(reader.enter({.ticket = make_ticket(2, door::kMayRead)}), Status::kOk);
  EXPECT_EQ(status_of(reader, reader.put({"/k/1", "x"})), Status::kUnauthenticated);
  EXPECT_EQ(newest(reader, "/k/1", ReadLevel::kLocal), std::string("NOT_FOUND"));
}

TEST(what_is_no_frame_ends_its_connection_alone) {
  Standing members;
  DoorClient steady = enter(members, 0);
  uint64_t state = seed(5);
  const auto random = [&state] {
    return state = state * 6364136223846793005u + 1442695040888963407u;
  };
  for (int round = 0; round < 200; round++) {
    DoorClient wild(members.port(0));
    if (round % 4 != 0) EXPECT_EQ(wild.enter(), Status::kOk);
    std::vector<std::byte> bytes(16 + (random() >> 33) % 300);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() >> 56);
    // Half of them have a type and a size that could be.
    if (round % 2 == 0) {
      const auto size = static_cast<uint32_t>(bytes.size() - 4);
      std::memcpy(bytes.data(), &size, sizeof size);
      bytes[4] = static_cast<std::byte>(1 + (random() >> 40) % 40);
      bytes[5] &= std::byte{0x33};
    }
    wild.send(bytes);
    if (round % 3 == 0) (void)wild.receive(0);
  }
  DoorClient control = enter(members, 0);
  control.put({"pool/9", std::string(24, '\0'), Ack::kDelivered, RecordKind::kControl});
  EXPECT(!control.receive());  // rules of shards are nothing that a client gives
  EXPECT_EQ(status_of(steady, steady.put({"/k/1", "x"})), Status::kOk);
  EXPECT_EQ(status_of(steady, steady.put({"/k/../1", "x"})), Status::kInvalidKey);
  EXPECT_EQ(status_of(steady, steady.put({"/" + std::string(1024, 'k'), "x"})),
            Status::kKeyTooLong);
  EXPECT_EQ(status_of(steady, steady.put({.key = "/k/1", .value = "x", .shard = 9})),
            Status::kNotAMember);
  EXPECT_EQ(status_of(steady, steady.put({.key = "/k/1", .value = "x", .pool = 9})),
            Status::kUnknownPool);
}

TEST(a_key_goes_into_the_pool_that_holds_it_and_no_other) {
  Standing members;
  DoorClient client = enter(members, 0);
  const auto put = [&](const std::string& key, PoolId pool) {
    return status_of(client, client.put({.key = key, .value = "x", .pool = pool}));
  };
  EXPECT_EQ(put("/k/1", kGroupPool), Status::kOk);
  for (const std::string key : {"/k", "/kk/1", "/other/1", "/system/pools/k", "/k%2f1"})
    EXPECT_EQ(put(key, kGroupPool), Status::kUnknownPool);
  // A pool that the shard knows and the catalog does not; none; and one beyond any table.
  for (const PoolId pool : {0u, 2u, UINT32_MAX}) EXPECT_EQ(put("/k/1", pool), Status::kUnknownPool);
  Member& member = members.group[0].member();
  EXPECT_EQ(member.name_door_pool(7, "/k/deep"), Status::kOk);
  EXPECT_EQ(put("/k/deep/1", 7), Status::kUnknownPool);  // of which the shard has no rules
  EXPECT_EQ(member.name_door_pool(kGroupPool, ""), Status::kOk);
  EXPECT_EQ(put("/k/1", kGroupPool), Status::kUnknownPool);
  for (const PoolId pool : {PoolId{0}, static_cast<PoolId>(kPoolsMax)})
    EXPECT_EQ(member.name_door_pool(pool, "/k"), Status::kInvalidArgument);
  // Whom nobody answers leaves nothing behind either.
  client.put({.key = "/other/1", .value = "x", .ack = Ack::kNone});
  EXPECT_EQ(newest(client, "/other/1", ReadLevel::kLinearizable), std::string("NOT_FOUND"));
}

TEST(keys_are_judged_as_at_the_other_doors) {
  const std::string good[] = {"/a", "/a/b", "/a/.b", "/a/...", "/a/b%20c", "/ä/€/𝄞", "/a/%2e%2ea"};
  const std::string bad[] = {"",
                             "a",
                             "/",
                             "/a/",
                             "/a//b",
                             "/a/.",
                             "/a/..",
                             "/a/%2e",
                             "/a/%252E.",
                             "/a/x%2f..",
                             "/a/%5c..",
                             "/a\x01",
                             "/a\x7f",
                             "/a\xc2\x85",
                             "/a\xc0\xaf",
                             "/a\xed\xa0\x80",
                             "/a\xf4\x90\x80\x80",
                             "/a\xe2\x82",
                             "/a\xff"};
  for (const std::string& key : good) EXPECT_EQ(door::check_key(key), Status::kOk);
  for (const std::string& key : bad) {
    if (door::check_key(key) != Status::kInvalidKey) fail(__FILE__, __LINE__, "taken: " + key);
  }
  std::string deep;
  for (size_t i = 0; i < door::kKeySegmentsMax; i++) deep += "/s";
  EXPECT_EQ(door::check_key(deep), Status::kOk);
  EXPECT_EQ(door::check_key(deep + "/s"), Status::kInvalidKey);
}

TEST(large_values_are_put_whole_and_leave_nothing_when_given_up) {
  Standing members;
  DoorClient client = enter(members, 0);
  const size_t sizes[] = {door::kLargeFrame, 100'000, 3 * kGroupRing, size_t{5} << 20};
  for (const size_t size : sizes) {
    std::string value(size, 'v');
    value.replace(0, 8, std::to_string(size).append(8, ' ').substr(0, 8));
    EXPECT_EQ(status_of(client, client.put({"/k/large", value})), Status::kOk);
    EXPECT(newest(client, "/k/large", ReadLevel::kLinearizable) == value);
    client.put({"/k/quiet", value, Ack::kNone});
    DoorClient leaver = enter(members, 0);
    leaver.put({"/k/left", value});
    DoorClient half = enter(members, 0);
    door::ChangeFrame frame = {};
    frame.head = door::make_head(FrameType::kChange, size + 60, 0x11, 5);
    half.send(std::as_bytes(std::span(&frame, 1)));
    half.send(std::as_bytes(std::span(value)).first(size / 2));
  }
  // What one client asks for is ordered as it asks.
  EXPECT_EQ(status_of(client, client.put({"/k/after", "x"})), Status::kOk);
  EXPECT_EQ(newest(client, "/k/quiet", ReadLevel::kLinearizable).size(), sizes[3]);
  // By and by more than all frames together may take, though none is taken.
  const std::string value(door::kObjectSizeMax, 'x');
  for (size_t sent = 0; sent < 2 * door::kLargeBytesMax; sent += value.size())
    EXPECT_EQ(status_of(client, client.put({"no key", value})), Status::kInvalidKey);
}

TEST(who_does_not_read_its_answers_holds_up_nobody) {
  Standing members;
  DoorClient lazy = enter(members, 0);
  DoorClient busy = enter(members, 0);
  EXPECT_EQ(status_of(busy, busy.put({"/k/1", std::string(60'000, 'x')})), Status::kOk);
  constexpr int kGets = 2000;  // 120 MB of answers
  for (int nth = 0; nth < kGets; nth++) lazy.get("/k/1", ReadLevel::kLocal);
  for (int nth = 0; nth < 200; nth++)
    EXPECT_EQ(status_of(busy, busy.put({"/k/2", std::to_string(nth)})), Status::kOk);
  double expected = 1;
  for (int nth = 0; nth < kGets; nth++, expected++) {
    const std::optional<DoorFrame> answer = lazy.receive();
    EXPECT(answer && answer->as<door::NumberFrame>().number == expected);
    if (!answer) return;
  }
}

TEST(triggers_wait_for_the_event_loop_and_puts_do_not) {
  Standing members;
  DoorClient client = enter(members, 0);
  TestMember& member = members.group[0];
  const double first = client.trigger("/k/1", "ring");
  EXPECT(member.until([&] { return !member.triggers.empty(); }));
  const std::optional<MemberMessage>& handed = member.newest_message;
  EXPECT(handed && handed->bytes.size() == sizeof(door::TriggerFrame) + 8);
  // What was not asked is let pass.
  EXPECT_EQ(member.member().answer_trigger(4711, Status::kOk, 1), Status::kOk);
  EXPECT_EQ(member.member().answer_trigger(member.triggers[0], Status::kOk, 77), Status::kOk);
  EXPECT_EQ(member.member().answer_trigger(member.triggers[0], Status::kOk, 78), Status::kOk);
  const auto taken = client.answer_to(first);
  EXPECT(taken && is_ok(taken->status()) && taken->as<door::DoneFrame>().time == 77);

  EXPECT_EQ(status_of(client, client.trigger("/k/%2e", "x")), Status::kInvalidKey);
  EXPECT_EQ(status_of(client, client.trigger("/other/1", "x")), Status::kUnknownPool);
  EXPECT_EQ(status_of(client, client.trigger("/k/1", "x", 9)), Status::kUnknownPool);
  const std::string large(door::kObjectSizeMax + 1, 'x');
  EXPECT_EQ(status_of(client, client.trigger("/k/1", large)), Status::kValueTooLarge);
  DoorClient reader(members.port(0));
  EXPECT_EQ(reader.enter({.ticket = make_ticket(2, door::kMayRead)}), Status::kOk);
  EXPECT_EQ(status_of(reader, reader.trigger("/k/1", "x")), Status::kUnauthenticated);

  // The loop stands still: what is too much is refused, and changes go on.
  for (size_t nth = 0; nth < door::kTriggersMax; nth++) client.trigger("/k/1", "x");
  EXPECT_EQ(status_of(client, client.trigger("/k/1", "x")), Status::kOverloaded);
  EXPECT_EQ(status_of(client, client.put({"/k/1", "x"})), Status::kOk);
  DoorClient other = enter(members, 0);
  other.trigger("/k/1", std::string(door::kTriggerBytesMax, 'x'));
  EXPECT_EQ(status_of(other, other.trigger("/k/1", "x")), Status::kOverloaded);
  other.close();
  // It goes on: all are answered, also those whose client is gone, and there is room again.
  EXPECT(member.until([&] { return member.triggers.size() == door::kTriggersMax + 2; }));
  for (size_t nth = 1; nth < member.triggers.size(); nth++)
    EXPECT_EQ(member.member().answer_trigger(member.triggers[nth], Status::kOk, 79), Status::kOk);
  size_t answered = 0;
  for (; answered < door::kTriggersMax; answered++) {
    const std::optional<DoorFrame> frame = client.receive();
    if (!frame || !is_ok(frame->status())) break;
  }
  EXPECT_EQ(answered, door::kTriggersMax);
  const double again = client.trigger("/k/1", "x");
  EXPECT(member.until([&] { return member.triggers.size() == door::kTriggersMax + 3; }));
  EXPECT_EQ(member.member().answer_trigger(member.triggers.back(), Status::kOverloaded, 0),
            Status::kOk);
  EXPECT_EQ(status_of(client, again), Status::kOverloaded);
}

TEST(all_clients_together_leave_room_beside_their_triggers) {
  Standing members;
  std::vector<DoorClient> clients;
  for (size_t nth = 0; nth * door::kTriggersMax < door::kAllTriggersMax; nth++) {
    clients.push_back(enter(members, 0));
    for (size_t sent = 0; sent < door::kTriggersMax; sent++) clients.back().trigger("/k/1", "x");
    EXPECT_EQ(status_of(clients.back(), clients.back().put({"/k/1", "x"})), Status::kOk);
  }
  DoorClient last = enter(members, 0);
  EXPECT_EQ(status_of(last, last.trigger("/k/1", "x")), Status::kOverloaded);
  EXPECT_EQ(status_of(last, last.put({"/k/1", "x"})), Status::kOk);
}

TEST(a_watch_tells_every_version_once_and_waits_for_credit) {
  Standing members;
  DoorClient writer = enter(members, 0);
  DoorClient reader = enter(members, 1);
  EXPECT_EQ(status_of(writer, writer.put({"/k/w/before", "x"})), Status::kOk);
  const double watch = reader.watch("/k/w/", 3, kFromNow);
  const auto started = reader.answer_to(watch);
  EXPECT(started && started->as<door::WatchingFrame>().from == 2);
  constexpr int kPuts = 2000;
  for (int nth = 0; nth < kPuts; nth++) {
    writer.put({"/k/w/" + std::to_string(nth), std::to_string(nth), Ack::kNone});
    // What finds the ring full is refused after 100 ms, which a busy machine can take.
    const Ack ack = nth % 100 == 99 ? Ack::kDelivered : Ack::kNone;
    const double last = writer.put({"/k/other/" + std::to_string(nth), "x", ack});
    if (ack != Ack::kNone) EXPECT_EQ(status_of(writer, last), Status::kOk);
  }
  EXPECT_EQ(status_of(writer, writer.put({"/k/done", "x"})), Status::kOk);
  int heard = 0;
  const auto hear = [&](int until) {
    for (; heard < until; heard++) {
      const std::optional<DoorFrame> event = reader.receive();
      EXPECT(event && event->head.type == FrameType::kEvent);
      if (!event) return;
      const auto frame = event->as<door::RecordFrame>();
      EXPECT_EQ(frame.version, 2 + 2 * heard);
      EXPECT_EQ(event->tail(sizeof frame), "/k/w/" + std::to_string(heard) + std::to_string(heard));
    }
  };
  hear(3);
  EXPECT(!reader.receive(0));  // no more than was asked for
  reader.credit(watch, 1000);
  hear(1000);
  EXPECT(!reader.receive(0));
  reader.credit(watch, 1e9);
  hear(kPuts);
  reader.unwatch(watch);
  // What it said is behind it once this is answered.
  EXPECT_EQ(newest(reader, "/k/done", ReadLevel::kLinearizable), std::string("x"));
  EXPECT_EQ(status_of(writer, writer.put({"/k/w/last", "x"})), Status::kOk);
  EXPECT_EQ(newest(reader, "/k/w/last", ReadLevel::kLinearizable), std::string("x"));
  EXPECT(reader.others.empty());
}

TEST(a_watch_goes_on_where_another_one_ended) {
  Standing members(true);
  DoorClient client = enter(members, 0);
  for (int nth = 1; nth <= 20; nth++)
    EXPECT_EQ(status_of(client, client.put({"/k/w/a", std::to_string(nth), Ack::kPersisted})),
              Status::kOk);
  DoorClient other = enter(members, 2);
  const double watch = other.watch("/k/w/", 1e9, 11, 1, true);
  const auto started = other.answer_to(watch);
  EXPECT(started && started->head.type == FrameType::kWatching);
  for (int nth = 11; nth <= 20; nth++) {
    const auto event = other.receive();
    EXPECT(event && event->as<door::RecordFrame>().version == nth &&
           event->as<door::RecordFrame>().previous_version_of_key == nth - 1);
  }
  // Of another history nothing is told.
  const double strange = other.watch("/k/w/", 1e9, 11, 7, true);
  EXPECT_EQ(status_of(other, strange), Status::kCompacted);
  // Nor of a place that is none; the first of these is epoch 1 to who keeps its low bits alone.
  for (const double epoch : {4294967297.0, 1e300, -1.0, kFromNow})
    EXPECT_EQ(status_of(other, other.watch("/k/w/", 1e9, 11, epoch, true)),
              Status::kInvalidArgument);
  for (const double from : {0.0, -5.0, 1e300})
    EXPECT_EQ(status_of(other, other.watch("/k/w/", 1e9, from, 1, true)), Status::kInvalidArgument);
}

TEST(a_watch_ends_with_its_shard) {
  Standing members;
  DoorClient client = enter(members, 0);
  const double watch = client.watch("/k/w/", 1e9, kFromNow);
  const auto started = client.answer_to(watch);
  EXPECT(started && started->head.type == FrameType::kWatching);
  const Token stop = members.group[0].next_token();
  EXPECT_EQ(members.group[0].finish(members.group[0].member().stop_epoch(kGroupShard, stop), stop),
            Status::kOk);
  const Token close = members.group[0].next_token();
  EXPECT_EQ(
      members.group[0].finish(members.group[0].member().close_shard(kGroupShard, close), close),
      Status::kOk);
  const auto ended = client.receive();
  EXPECT(ended && ended->head.type == FrameType::kEnded &&
         ended->as<door::NumberFrame>().number == watch);
  EXPECT_EQ(status_of(client, client.put({"/k/w/1", "x"})), Status::kShardStopped);
}

TEST(clients_come_and_go_under_load) {
  Standing members;
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (size_t member = 0; member < 3; member++)
    threads.emplace_back([&, member] {
      for (int round = 0; round < 15; round++) {
        DoorClient client = enter(members, member);
        client.watch("/", 1e9, kFromNow);
        for (int nth = 0; nth < 50; nth++)
          client.put({"/k/" + std::to_string(member), std::string(1000, 'x')});
        // Some leave at once, some after a few answers.
        for (int nth = 0; nth < round; nth++)
          if (client.receive()) answered++;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT(answered > 0);
  DoorClient last = enter(members, 0);
  EXPECT_EQ(status_of(last, last.put({"/k/last", "x"})), Status::kOk);
}
