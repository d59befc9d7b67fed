// Three real members over loopback tcp in one process: puts, subscriptions, loss, restart, load.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <thread>

#include "native/io/tcp/frame.h"
#include "native/io/tcp/handshake.h"
#include "test/native/support/member_group.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

std::string key_of(size_t member, size_t number) {
  return "/k/" + std::to_string(member) + "/" + std::to_string(number);
}

// Sizes on both sides of every border: copied, borrowed, in blocks, larger than the ring.
std::string value_of(size_t member, size_t number) {
  constexpr size_t kSizes[] = {0,     1,      100,           4000, kGroupRing / 4 - 200,
                               70000, 100000, 3 * kGroupRing};
  std::string value(number % 40 == 39 ? kSizes[number / 40 % 8] : 100, 'a');
  const std::string name = std::to_string(member) + ":" + std::to_string(number);
  if (value.size() >= name.size()) value.replace(0, name.size(), name);
  return value;
}

bool is_borrowed(const std::string& value) { return value.size() > kBorrowThreshold; }

size_t peer_rows(const TestMember& member, NodeId node, int state, Status status) {
  return static_cast<size_t>(
      std::count_if(member.peers.begin(), member.peers.end(), [&](const PeerRow& row) {
        return row.node == node && row.state == state && row.status == status;
      }));
}

size_t count_events(const TestMember& member, uint64_t subscription) {
  return static_cast<size_t>(
      std::count_if(member.events.begin(), member.events.end(),
                    [&](const HeardEvent& event) { return event.subscription == subscription; }));
}

Status subscribe(TestMember& member, uint64_t id, const std::string& prefix, Version from,
                 Store::SubscriptionFrontier frontier) {
  const Token token = member.next_token();
  return member.finish(
      member.member().subscribe(kGroupShard, id, prefix, from, frontier, {}, token), token);
}

void send_raw(uint16_t port, Bytes bytes) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  EXPECT(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0);
  close(fd);
}

}  // namespace

TEST(puts_of_all_members_are_applied_alike) {
  MemberGroup group(false);
  group.open();
  group.start(1);
  group.make_pool();
  constexpr size_t kPuts = 320;
  std::vector<Token> tokens[3];
  size_t borrowed[3] = {};
  for (size_t number = 0; number < kPuts; number++) {
    for (size_t i = 0; i < group.size(); i++) {
      std::string value = value_of(i, number);
      borrowed[i] += is_borrowed(value) ? 1 : 0;
      tokens[i].push_back(group[i].put(key_of(i, number), std::move(value), Ack::kDelivered));
    }
    // Not faster than the smallest queue of the way takes them.
    if (number % 32 == 31)
      EXPECT(group.until([&] {
        for (size_t i = 0; i < group.size(); i++)
          if (group[i].member().outstanding() > 0) return false;
        return true;
      }));
  }
  std::vector<Version> versions;
  for (size_t i = 0; i < group.size(); i++) {
    for (const Token token : tokens[i]) {
      EXPECT(is_ok(group[i].answers.at(token).status));
      versions.push_back(group[i].answers.at(token).version);
    }
    EXPECT_EQ(group[i].released, borrowed[i]);
  }
  std::sort(versions.begin(), versions.end());
  for (size_t at = 0; at < versions.size(); at++) EXPECT_EQ(versions[at], Version{at + 1});
  EXPECT(group.reaches(3 * kPuts));
  for (size_t i = 0; i < group.size(); i++)
    for (size_t number = 0; number < kPuts; number++)
      EXPECT(group[(i + 1) % 3].newest(key_of(i, number)) == value_of(i, number));
  group.expect_alike();
}

TEST(what_cannot_be_done_is_answered) {
  MemberGroup group(false);
  group.open();
  const Token early = group[0].put("/k/early", "v", Ack::kDelivered);
  EXPECT(group[0].until([&] { return group[0].is_answered(early); }));
  EXPECT_EQ(group[0].answers[early].status, Status::kNotAMember);
  EXPECT_EQ(group[0].prepare_epoch(1, {1, 2, 9}), Status::kPeerUnreachable);
  EXPECT_EQ(group[0].prepare_epoch(1, {2, 3}), Status::kInvalidArgument);
  group.start(1);
  const Token unknown = group[1].put("/k/1", "v", Ack::kDelivered);  // no pool yet
  EXPECT(group.until([&] { return group[1].is_answered(unknown); }));
  EXPECT_EQ(group[1].answers[unknown].status, Status::kUnknownPool);
  group.make_pool();
  const Token disk = group[1].put("/k/1", "v", Ack::kPersisted);  // a volatile shard
  EXPECT(group.until([&] { return group[1].is_answered(disk); }));
  EXPECT_EQ(group[1].answers[disk].status, Status::kInvalidArgument);
  EXPECT_EQ(group[2].prepare_epoch(2, {1, 2, 3}), Status::kInvalidArgument);
  Change other;
  EXPECT_EQ(group[2].member().submit(77, other, Ack::kDelivered, 1), Status::kNotAMember);
  group.expect_alike();
}

TEST(subscriptions_hear_every_version_once_and_in_order) {
  MemberGroup group(true);
  group.open();
  group.start(1);
  group.make_pool();
  using Frontier = Store::SubscriptionFrontier;
  for (size_t i = 0; i < group.size(); i++) {
    EXPECT(is_ok(subscribe(group[i], 1, "/k/", 1, Frontier::kDelivered)));
    EXPECT(is_ok(subscribe(group[i], 2, "/k/1/", 1, Frontier::kPersisted)));
  }
  constexpr size_t kPuts = 300;
  for (size_t number = 0; number < kPuts; number++)
    for (size_t i = 0; i < group.size(); i++)
      group[i].put(key_of(i, number), "value", i == 0 ? Ack::kNone : Ack::kDelivered);
  const auto all_heard = [&] {
    for (size_t i = 0; i < group.size(); i++)
      if (count_events(group[i], 1) < 3 * kPuts || count_events(group[i], 2) < kPuts) return false;
    return true;
  };
  EXPECT(group.until(all_heard));
  // One that comes late hears the same.
  EXPECT(is_ok(subscribe(group[2], 3, "/k/", 1, Frontier::kPersisted)));
  EXPECT(group.until([&] { return count_events(group[2], 3) >= 3 * kPuts; }));
  for (size_t i = 0; i < group.size(); i++) {
    std::map<uint64_t, Version> newest;
    for (const HeardEvent& event : group[i].events) {
      EXPECT(event.version > newest[event.subscription]);
      newest[event.subscription] = event.version;
    }
    EXPECT_EQ(count_events(group[i], 1), 3 * kPuts);
    EXPECT_EQ(count_events(group[i], 2), kPuts);
  }
  group.expect_alike();
}

TEST(messages_of_any_size_go_between_members) {
  MemberGroup group(false);
  group.open();
  const std::vector<std::byte> large(size_t{5} << 20, std::byte{3});
  for (size_t i = 0; i < group.size(); i++)
    for (size_t j = 0; j < group.size(); j++) {
      if (i == j) continue;
      const NodeId to = group[j].node();
      EXPECT(is_ok(group[i].member().send_message(to, {})));
      EXPECT(is_ok(group[i].member().send_message(to, large)));
    }
  EXPECT(group.until(
      [&] { return group[0].messages == 4 && group[1].messages == 4 && group[2].messages == 4; }));
  EXPECT_EQ(group[0].member().send_message(9, large), Status::kPeerUnreachable);
}

TEST(a_closed_member_stops_its_shards_at_the_others) {
  MemberGroup group(false);
  group.open();
  group.start(1);
  group.make_pool();
  std::vector<Token> tokens;
  for (size_t number = 0; number < 200; number++)
    tokens.push_back(group[0].put(key_of(0, number), "value", Ack::kDelivered));
  group[2].close();
  for (size_t i = 0; i < 2; i++) {
    TestMember& survivor = group[i];
    EXPECT(survivor.until([&] { return !survivor.stopped.empty(); }));
    EXPECT_EQ(survivor.stopped.size(), size_t{1});
    EXPECT_EQ(survivor.stopped[0].shard, kGroupShard);
    EXPECT_EQ(survivor.stopped[0].status, Status::kShardStopped);
    EXPECT_EQ(survivor.stopped[0].lost, NodeId{3});
    EXPECT_EQ(peer_rows(survivor, 3, 0, Status::kOk), size_t{1});
    const Token late = survivor.put("/k/late", "v", Ack::kDelivered);
    EXPECT(survivor.until([&] { return survivor.is_answered(late); }));
    EXPECT_EQ(survivor.answers[late].status, Status::kShardStopped);
  }
  // Each is answered, as done or as stopped.
  EXPECT(group[0].until([&] { return group[0].member().outstanding() == 0; }));
  for (const Token token : tokens) {
    const Status status = group[0].answers.at(token).status;
    EXPECT(is_ok(status) || status == Status::kShardStopped);
  }
  EXPECT_EQ(group[0].trouble, "");
  // Two of them go on in a new epoch.
  for (size_t i = 0; i < 2; i++) EXPECT(is_ok(group[i].prepare_epoch(2, {1, 2})));
  for (size_t i = 0; i < 2; i++) {
    const Token token = group[i].next_token();
    const Status called = group[i].member().start_epoch(kGroupShard, 2, token);
    EXPECT(is_ok(group[i].finish(called, token)));
  }
}

TEST(a_restart_from_disk_keeps_everything_and_goes_on) {
  MemberGroup group(true);
  std::map<Version, std::string> written;
  for (Epoch epoch = 1; epoch <= 3; epoch++) {
    group.open();
    const ShardState before = group[0].state();
    EXPECT_EQ(before.version, Version{written.size()});
    group.expect_alike();
    for (const auto& [version, key] : written) EXPECT(group[1].holds(version, key, key));
    group.start(epoch);
    if (epoch == 1) group.make_pool();
    std::vector<std::pair<Token, std::string>> tokens[3];
    for (size_t number = 0; number < 100; number++)
      for (size_t i = 0; i < group.size(); i++) {
        const std::string key = key_of(i, number) + "/" + std::to_string(epoch);
        tokens[i].emplace_back(group[i].put(key, key, Ack::kPersisted), key);
      }
    EXPECT(group.until([&] {
      return group[0].member().outstanding() + group[1].member().outstanding() +
                 group[2].member().outstanding() ==
             0;
    }));
    for (size_t i = 0; i < group.size(); i++)
      for (const auto& [token, key] : tokens[i]) {
        EXPECT(is_ok(group[i].answers.at(token).status));
        written[group[i].answers.at(token).version] = key;
      }
    EXPECT_EQ(written.size(), size_t{300} * epoch);
    group.close();
  }
}

namespace {

// A member under load on a thread of its own.
struct Load {
  std::map<Version, std::pair<std::string, std::string>> acknowledged;
  size_t refused = 0;
  bool stuck = false;

  // Keeps puts under way until the shard stops; `close_after` of them: closes the member instead.
  void run(TestMember& member, size_t index, size_t close_after) {
    std::map<Token, size_t> waiting;
    for (size_t number = 0; member.stopped.empty(); number++) {
      waiting[member.put(key_of(index, number), value_of(index, number), Ack::kPersisted)] = number;
      const bool last = number == close_after;
      if (waiting.size() >= 64 || last)
        stuck = stuck || !member.until([&] {
          take_answers(member, index, waiting);
          return waiting.size() < 48 || !member.stopped.empty();
        });
      if (stuck) return;
      if (last) {
        member.close();
        take_answers(member, index, waiting);
        return;
      }
    }
    stuck = !member.until([&] {
      take_answers(member, index, waiting);
      return waiting.empty();
    });
  }

  void take_answers(TestMember& member, size_t index, std::map<Token, size_t>& waiting) {
    std::erase_if(waiting, [&](const auto& item) {
      const auto found = member.answers.find(item.first);
      if (found == member.answers.end()) return false;
      if (is_ok(found->second.status)) {
        acknowledged[found->second.version] = {key_of(index, item.second),
                                               value_of(index, item.second)};
      } else {
        refused++;
      }
      return true;
    });
  }
};

// Reads on a thread that is not the member's, until it is closed or `stop` says so.
size_t read_along(TestMember& member, const std::atomic<bool>& stop) {
  ShardReaders readers;
  size_t found = 0;
  for (size_t number = 0; !stop.load(); number++) {
    Member& target = member.member();
    if (!target.enter_read()) break;
    const auto access = readers.access(*target.find_shard(kGroupShard));
    access.reader->enter();
    const Found read = access.store->get(key_of(number % 3, number % 50), {});
    if (read.record != nullptr) found += RecordView(read.record).value().size() + 1;
    access.reader->leave();
    target.leave_read();
  }
  return found;
}

// Gives everyone the longest history there is, as a total restart does.
void fill_from_longest(MemberGroup& group) {
  size_t longest = 0;
  for (size_t i = 1; i < group.size(); i++)
    if (group[i].state().last > group[longest].state().last) longest = i;
  for (size_t i = 0; i < group.size(); i++) {
    for (LogPosition at = group[i].state().last; at < group[longest].state().last;
         at = group[i].state().last) {
      const Token read = group[longest].next_token();
      Member& from = group[longest].member();
      const Status asked = from.read_log(kGroupShard, at, {}, 1 << 20, read);
      EXPECT(is_ok(group[longest].finish(asked, read)));
      const auto records = from.take_result(read);
      EXPECT(records.has_value() && !records->empty());
      if (!records || records->empty()) return;
      const Token append = group[i].next_token();
      const Status called = group[i].member().append_log(kGroupShard, *records, append);
      EXPECT(is_ok(group[i].finish(called, append)));
    }
  }
}

}  // namespace

TEST(thread_81_a_member_closed_under_load_loses_nothing_acknowledged) {
  MemberGroup group(true);
  group.open();
  group.start(1);
  group.make_pool();
  Load loads[3];
  std::atomic<bool> stop{false};
  std::thread reader([&] { read_along(group[0], stop); });
  std::vector<std::thread> threads;
  for (size_t i = 0; i < group.size(); i++)
    threads.emplace_back([&, i] { loads[i].run(group[i], i, i == 2 ? 400 : SIZE_MAX); });
  for (std::thread& thread : threads) thread.join();
  stop.store(true);
  reader.join();
  size_t acknowledged = 0;
  for (size_t i = 0; i < group.size(); i++) {
    EXPECT(!loads[i].stuck);
    EXPECT_EQ(group[i].trouble, "");
    acknowledged += loads[i].acknowledged.size();
  }
  EXPECT(acknowledged > 300);
  group.close();

  group.open();
  fill_from_longest(group);
  group.expect_alike();
  for (const Load& load : loads)
    for (const auto& [version, put] : load.acknowledged)
      for (size_t i = 0; i < group.size(); i++)
        EXPECT(group[i].holds(version, put.first, put.second));
  group.start(2);
  const Token token = group[2].put("/k/again", "v", Ack::kPersisted);
  EXPECT(group.until([&] { return group[2].is_answered(token); }));
  EXPECT(is_ok(group[2].answers[token].status));
}

TEST(garbage_and_strangers_at_the_port_leave_the_member_at_work) {
  MemberGroup group(false);
  group.open();
  group.start(1);
  group.make_pool();
  const uint16_t port = group[1].member().port();
  std::vector<std::byte> garbage(3000);
  uint64_t state = seed(5);
  for (std::byte& byte : garbage) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::byte>(state >> 56);
  }
  tcp::Identity identity;
  identity.cluster.fill(1);
  identity.node = 1;
  identity.to = 2;
  const tcp::Prefix prefix{sizeof identity, tcp::FrameType::kHello, 0};
  std::vector<std::byte> hello(sizeof prefix + sizeof identity);
  std::memcpy(hello.data(), &prefix, sizeof prefix);
  std::memcpy(hello.data() + sizeof prefix, &identity, sizeof identity);
  for (size_t round = 0; round < 20; round++) {
    send_raw(port, Bytes(garbage).subspan(round * 100));
    send_raw(port, Bytes(hello).first(round * 5));  // a half frame, then the end
    send_raw(port, hello);                          // a hello without a proof
    group[0].put(key_of(0, round), "value", Ack::kDelivered);
  }
  // The name of a member, but not its secret; and a member of another cluster.
  TestMember impostor(1, "", 1, 7);
  TestMember stranger(1, "", 9, 2);
  for (TestMember* one : {&impostor, &stranger}) {
    EXPECT(is_ok(one->open()));
    EXPECT(is_ok(one->member().add_peer({2, "127.0.0.1", port})));
  }
  const auto refuses = [&](TestMember& one, Status why) {
    return one.until([&] { return peer_rows(one, 2, 2, why) > 0; });
  };
  EXPECT(refuses(impostor, Status::kUnauthenticated));
  EXPECT(refuses(stranger, Status::kWrongCluster));
  EXPECT_EQ(peer_rows(impostor, 2, 1, Status::kOk) + peer_rows(stranger, 2, 1, Status::kOk),
            size_t{0});
  EXPECT(group[1].until([&] { return peer_rows(group[1], 1, 2, Status::kUnauthenticated) > 0; }));
  const Token token = group[1].put("/k/after", "value", Ack::kDelivered);
  EXPECT(group.until(
      [&] { return group[0].member().outstanding() == 0 && group[1].is_answered(token); }));
  EXPECT(is_ok(group[1].answers[token].status));
  for (size_t i = 0; i < group.size(); i++) {
    EXPECT(group[i].stopped.empty());
    EXPECT_EQ(group[i].member().counters().peersLost.load(), uint64_t{0});
  }
  EXPECT(group.reaches(21));
  group.expect_alike();
}

TEST(members_open_and_close_again_and_again) {
  for (size_t round = 0; round < 20; round++) {
    TestMember one(1, "");
    TestMember other(2, "");
    EXPECT(is_ok(one.open()));
    EXPECT(is_ok(other.open()));
    EXPECT(is_ok(one.member().add_peer({2, "127.0.0.1", other.member().port()})));
    EXPECT(is_ok(other.member().add_peer({1, "127.0.0.1", one.member().port()})));
    EXPECT(is_ok(one.open_shard(false)));
    if (round % 2 == 0) other.close();
  }
}

TEST(a_scan_that_resumes_from_any_bytes_ends) {
  auto store = std::make_shared<Store>(StoreConfig{.shard = 1});
  Feeder feed(*store);
  (void)feed.pool(1);
  for (int i = 0; i < 10; i++) (void)feed.put("/k" + std::to_string(i), "v");
  ShardView view(1, false);
  view.set_store(store);
  int slices = 0;
  QueryRunner query(nullptr, "", [&] { return ++slices > 100; });
  for (const bool reverse : {false, true}) {
    for (const uint64_t next : {uint64_t{0}, uint64_t{4}, uint64_t{1} << 60}) {
      ScanRequest request;
      request.shard = 1;
      request.prefix = "/";
      request.reverse = reverse;
      const uint64_t resume[] = {uint64_t{1} << 60, 0, next};  // cut, given, next version
      const Bytes bytes = std::as_bytes(std::span(resume));
      request.resume.assign(bytes.begin(), bytes.end());
      slices = 0;
      std::vector<std::byte> out;
      const Status status = query.scan(view, request, out);
      EXPECT_EQ(status_name(status), status_name(Status::kOk));
      if (!is_ok(status)) continue;
      uint32_t trailer[2];  // size of the resume bytes, records
      std::memcpy(trailer, out.data() + out.size() - sizeof trailer, sizeof trailer);
      EXPECT_EQ(trailer[0], 0u);
      const uint64_t given = reverse     ? std::min<uint64_t>(next, 10)
                             : next > 10 ? 0
                                         : 11 - std::max<uint64_t>(next, 1);
      EXPECT_EQ(uint64_t{trailer[1]}, given);
    }
  }
}

TEST(an_inbox_of_empty_messages_is_full_too) {
  Inbox inbox;
  size_t count = 0;
  for (; !inbox.is_full() && count < 1'000'000; count++) inbox.put({2, {}});
  EXPECT(inbox.is_full());
  for (; count > 0; count--) EXPECT(inbox.take().has_value());
  EXPECT(!inbox.is_full() && !inbox.take().has_value());
}
