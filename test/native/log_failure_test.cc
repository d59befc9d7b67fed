// A real member whose log can no longer be written, or is cut.
#include <stdlib.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

// While one lives no file of this process grows: writes fail as on a disk without room.
class NoRoom {
 public:
  NoRoom() {
    (void)std::signal(SIGXFSZ, SIG_IGN);
    EXPECT(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit none = before_;
    none.rlim_cur = 1;
    EXPECT(setrlimit(RLIMIT_FSIZE, &none) == 0);
  }
  ~NoRoom() { EXPECT(setrlimit(RLIMIT_FSIZE, &before_) == 0); }
  NoRoom(const NoRoom&) = delete;
  NoRoom& operator=(const NoRoom&) = delete;

 private:
  rlimit before_;
};

// One member with a folder of its own, and its shard, of which it is the only member.
class AloneMember {
 public:
  AloneMember() : folder_(make_folder()), member(1, folder_ + "/1") {
    open();
    begin(1);
    PoolRules rules;
    rules.pool = kGroupPool;
    const Token token = member.control("pool/1", std::as_bytes(std::span(&rules, 1)));
    EXPECT(member.until([&] { return member.is_answered(token); }));
  }
  ~AloneMember() {
    member.close();
    std::filesystem::remove_all(folder_);
  }

  void open() {
    EXPECT(is_ok(member.open()));
    EXPECT(is_ok(member.open_shard(true)));
  }
  void begin(Epoch epoch) {
    EXPECT(is_ok(member.prepare_epoch(epoch, {1})));
    const Token token = member.next_token();
    EXPECT(is_ok(member.finish(member.member().start_epoch(kGroupShard, epoch, token), token)));
  }
  void end_epoch() {
    const Token token = member.next_token();
    EXPECT(is_ok(member.finish(member.member().stop_epoch(kGroupShard, token), token)));
  }
  Status put(const std::string& key, const std::string& value) {
    const Token token = member.put(key, value, Ack::kPersisted);
    EXPECT(member.until([&] { return member.is_answered(token); }));
    return member.answers[token].status;
  }
  Status reopen() {
    const Token token = member.next_token();
    return member.finish(member.member().reopen_log(kGroupShard, token), token);
  }
  std::string segment(const char* name) const {
    return folder_ + "/1/shard-" + std::to_string(kGroupShard) + "/" + name;
  }

 private:
  static std::string make_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "freshet-log-XXXXXX").string();
    return mkdtemp(pattern.data());
  }

  const std::string folder_;

 public:
  TestMember member;
};

}  // namespace

TEST(a_log_that_failed_answers_nothing_as_written) {
  MemberGroup group(true);
  group.open();
  group.start(1);
  group.make_pool();
  TestMember& member = group[0];
  {
    const NoRoom full;
    (void)member.put("/k", "v", Ack::kPersisted);
    EXPECT(group.until([&] { return !member.stopped.empty(); }));
  }
  EXPECT(member.stopped.front().status == Status::kDiskFailed);
  for (int i = 0; i < 2; i++) {
    const Token token = member.next_token();
    const Status called = member.member().append_log(kGroupShard, {}, token);
    EXPECT(member.finish(called, token) == Status::kDiskFailed);
  }
  group.close();
}

TEST(a_log_that_failed_is_opened_again_with_what_was_synced) {
  AloneMember alone;
  TestMember& member = alone.member;
  EXPECT(is_ok(alone.put("/synced", "v")));
  EXPECT(is_ok(alone.reopen()));  // it has not failed
  EXPECT(member.newest("/synced") == "v");
  {
    const NoRoom full;
    EXPECT(!is_ok(alone.put("/lost", "v")));
    EXPECT(member.until([&] { return !member.stopped.empty(); }));
  }
  EXPECT(is_ok(alone.reopen()));
  EXPECT(member.newest("/synced") == "v");
  EXPECT(member.newest("/lost").empty());
  alone.begin(2);
  EXPECT(is_ok(alone.put("/after", "v")));
  const ShardState state = member.state();
  member.close();
  alone.open();
  EXPECT_EQ(member.state().digest, state.digest);
  EXPECT(member.newest("/after") == "v");
}

TEST(a_log_that_was_cut_goes_on_in_files_that_are_there) {
  AloneMember alone;
  TestMember& member = alone.member;
  const std::string value(size_t{60} << 10, 'v');
  EXPECT(is_ok(alone.put("/kept", value)));
  const LogPosition kept = member.state().last;
  // More than half a segment: the next one's file is made ahead.
  for (int i = 0; i < 160; i++) EXPECT(is_ok(alone.put("/cut", value)));
  while (!std::filesystem::exists(alone.segment("00000001.log")))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  alone.end_epoch();
  const Token token = member.next_token();
  EXPECT(is_ok(member.finish(member.member().cut_back(kGroupShard, kept, token), token)));
  EXPECT(!std::filesystem::exists(alone.segment("00000001.log")));
  alone.begin(2);
  for (int i = 0; i < 300; i++) EXPECT(is_ok(alone.put("/again", value)));
  const ShardState state = member.state();
  member.close();
  alone.open();
  EXPECT_EQ(member.state().version, state.version);
  EXPECT_EQ(member.state().digest, state.digest);
}
