// What a restart leaves on disk comes back into memory once something of it is read: whole members,
// over files.
#include <string>
#include <vector>

#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

// More than one segment.
constexpr size_t kValues = 60;
constexpr size_t kValueSize = 300'000;
constexpr Version kFirst = 1;

std::string cold_key(size_t number) { return "/cold/" + std::to_string(number); }
std::string cold_value(size_t number) {
  return std::string(kValueSize, static_cast<char>('a' + number % 26));
}

void fill_and_close(MemberGroup& group) {
  group.open();
  group.start(1);
  group.make_pool();
  std::vector<Token> tokens;
  for (size_t number = 0; number < kValues; number++)
    tokens.push_back(group[0].put(cold_key(number), cold_value(number), Ack::kPersisted));
  EXPECT(group.until([&] { return group[0].is_answered(tokens.back()); }));
  for (size_t number = 0; number < kValues; number++)
    EXPECT_EQ(group[0].answers.at(tokens[number]).version, kFirst + number);
  group.close();
}

// A scan of the first versions; its answer comes behind what earlier calls have asked for.
void scan_first(TestMember& member) {
  ScanRequest request;
  request.shard = kGroupShard;
  request.prefix = "/cold/";
  request.want_values = false;
  request.limit = 3;
  const Token token = member.next_token();
  EXPECT(is_ok(member.finish(member.member().scan(request, token), token)));
  EXPECT(member.member().take_result(token).has_value());
}

bool holds_first(TestMember& member) { return member.holds(kFirst, cold_key(0), cold_value(0)); }

}  // namespace

TEST(a_segment_that_is_read_after_a_restart_comes_back) {
  MemberGroup group(true);
  fill_and_close(group);
  group.open();
  for (size_t i = 0; i < group.size(); i++) {
    EXPECT(!holds_first(group[i]));
    EXPECT(group[i].holds(kFirst + kValues - 1, cold_key(kValues - 1), cold_value(kValues - 1)));
  }

  scan_first(group[0]);
  scan_first(group[0]);
  EXPECT(holds_first(group[0]));

  Found found;
  {
    ShardReaders readers;
    const auto access = readers.access(*group[1].member().find_shard(kGroupShard));
    const Store::ReadGuard guard(*access.reader);
    found = access.store->get_version(kFirst);
  }
  EXPECT(found.status == Status::kCold);
  const Token token = group[1].next_token();
  const Status called = group[1].member().read_cold(kGroupShard, found.cold_segment,
                                                    found.cold_offset, found.cold_length, token);
  EXPECT(is_ok(group[1].finish(called, token)));
  EXPECT(group[1].member().take_result(token).has_value());
  scan_first(group[1]);
  EXPECT(holds_first(group[1]));

  // The third has read nothing, and goes on with them all the same.
  EXPECT(!holds_first(group[2]));
  group.expect_alike();
  group.start(2);
  const Token put = group[2].put(cold_key(0), "next", Ack::kPersisted);
  EXPECT(group.until([&] { return group[2].is_answered(put); }));
  EXPECT_EQ(group[2].answers.at(put).version, kFirst + kValues);
  group.close();
}
