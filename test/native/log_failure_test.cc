// A real member whose log can no longer be written, or is cut.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "native/core/log_format.h"
#include "test/native/support/member_group.h"
#include "test/native/support/records.h"
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
  // A put that the disk has no room for stops the shard.
  void fail(const std::string& key) {
    const size_t stops = member.stopped.size();
    const NoRoom full;
    EXPECT(!is_ok(put(key, "v")));
    EXPECT(member.until([&] { return member.stopped.size() > stops; }));
  }
  Status reopen() {
    const Token token = member.next_token();
    return member.finish(member.member().reopen_log(kGroupShard, token), token);
  }
  Status cut_back(LogPosition position) {
    const Token token = member.next_token();
    return member.finish(member.member().cut_back(kGroupShard, position, token), token);
  }
  Status close_shard() {
    const Token token = member.next_token();
    return member.finish(member.member().close_shard(kGroupShard, token), token);
  }
  // The value of a version of the second segment, which is not in memory; empty: it is not so.
  std::string read_cold(Version version) {
    ShardReaders readers;
    Found found;
    {
      const auto access = readers.access(*member.member().find_shard(kGroupShard));
      const Store::ReadGuard guard(*access.reader);
      found = access.store->get_version(version);
    }
    EXPECT(found.status == Status::kCold);
    EXPECT_EQ(found.cold_segment, uint64_t{1});
    const Token token = member.next_token();
    const Status called = member.member().read_cold(kGroupShard, found.cold_segment,
                                                    found.cold_offset, found.cold_length, token);
    if (!is_ok(member.finish(called, token))) return "";
    const auto bytes = member.member().take_result(token);
    return bytes ? text_of(RecordView(bytes->data()).value()) : "";
  }
  std::string segment(const std::string& name) const {
    return folder_ + "/1/shard-" + std::to_string(kGroupShard) + "/" + name;
  }
  std::string beside() const { return folder_ + "/beside"; }

 private:
  static std::string make_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "freshet-log-XXXXXX").string();
    return mkdtemp(pattern.data());
  }

  const std::string folder_;

 public:
  TestMember member;
};

// The member's job thread stands still until it is released: it opens a pipe that nobody writes.
class HeldJobs {
 public:
  explicit HeldJobs(AloneMember& alone)
      : alone_(alone), pipe_(alone.segment(segment_name(kSegment))) {
    EXPECT(mkfifo(pipe_.c_str(), 0600) == 0);
    TestMember& member = alone_.member;
    read_ = member.next_token();
    EXPECT(is_ok(member.member().read_cold(kGroupShard, kSegment, 0, 64, read_)));
  }
  HeldJobs(const HeldJobs&) = delete;
  HeldJobs& operator=(const HeldJobs&) = delete;

  // Whoever reads the log next does not find the pipe.
  void release() {
    std::filesystem::rename(pipe_, alone_.beside());
    while (!alone_.member.results.contains(read_)) {
      const int written = ::open(alone_.beside().c_str(), O_WRONLY | O_NONBLOCK);
      if (written >= 0) ::close(written);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      (void)alone_.member.drain();
    }
  }

 private:
  static constexpr uint64_t kSegment = 900;

  AloneMember& alone_;
  const std::string pipe_;
  Token read_ = 0;
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
  alone.fail("/lost");
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

// Cut once more, it would lose what was written after the first time.
TEST(a_log_that_is_being_opened_again_is_not_cut_twice) {
  AloneMember alone;
  TestMember& member = alone.member;
  EXPECT(is_ok(alone.put("/synced", "v")));
  alone.fail("/lost");
  HeldJobs held(alone);
  const Token first = member.next_token();
  EXPECT(is_ok(member.member().reopen_log(kGroupShard, first)));
  EXPECT_EQ(status_name(alone.reopen()), status_name(Status::kOverloaded));
  EXPECT(!member.results.contains(first));
  held.release();
  EXPECT(is_ok(member.finish(Status::kOk, first)));
  EXPECT(is_ok(alone.reopen()));  // it is open
  alone.begin(2);
  EXPECT(is_ok(alone.put("/after", "v")));
  EXPECT(member.newest("/synced") == "v");
  EXPECT(member.newest("/after") == "v");
  // A call that is over, however it ended, is not in the way of the next one.
  alone.end_epoch();
  EXPECT(is_ok(alone.reopen()));
  alone.begin(3);
  alone.fail("/lost");
  const std::string segment = alone.segment("00000000.log");
  std::filesystem::rename(segment, alone.beside());
  std::filesystem::create_directory(segment);
  EXPECT_EQ(status_name(alone.reopen()), status_name(Status::kDiskFailed));
  std::filesystem::remove(segment);
  std::filesystem::rename(alone.beside(), segment);
  EXPECT(is_ok(alone.reopen()));
  EXPECT(member.newest("/after") == "v");
}

// What a sync that failed may have left in the cache is not taken by another way.
TEST(a_log_that_failed_is_opened_with_what_was_synced_by_whatever_opens_it) {
  enum class Way { kAfterAFailedReopen, kClosed };
  for (const Way way : {Way::kAfterAFailedReopen, Way::kClosed}) {
    AloneMember alone;
    TestMember& member = alone.member;
    EXPECT(is_ok(alone.put("/synced", "v")));
    const LogPosition synced = member.state().last;
    for (const char* value : {"1", "2", "3"}) EXPECT(is_ok(alone.put("/lost", value)));
    const LogPosition last = member.state().last;
    const std::string segment = alone.segment("00000000.log");
    alone.end_epoch();
    EXPECT(is_ok(alone.cut_back(last)));
    std::filesystem::copy_file(segment, alone.beside());
    EXPECT(is_ok(alone.cut_back(synced)));
    alone.begin(2);
    alone.fail("/refused");
    EXPECT_EQ(status_name(alone.cut_back(last)), status_name(Status::kDiskFailed));
    if (way == Way::kAfterAFailedReopen) {
      std::filesystem::remove(segment);
      std::filesystem::create_directory(segment);
      EXPECT_EQ(status_name(alone.reopen()), status_name(Status::kDiskFailed));
      std::filesystem::remove(segment);
    }
    std::filesystem::copy_file(alone.beside(), segment,
                               std::filesystem::copy_options::overwrite_existing);
    if (way == Way::kClosed) EXPECT(is_ok(alone.close_shard()));
    EXPECT(is_ok(member.open_shard(true)));
    EXPECT(member.newest("/synced") == "v");
    EXPECT(member.newest("/lost") != "3");
  }
}

TEST(a_log_of_which_what_was_synced_is_gone_is_not_opened_again) {
  AloneMember alone;
  TestMember& member = alone.member;
  EXPECT(is_ok(alone.put("/synced", "v")));
  alone.fail("/lost");
  const std::string segment = alone.segment("00000000.log");
  std::filesystem::rename(segment, alone.beside());
  EXPECT_EQ(status_name(alone.reopen()), status_name(Status::kLogCorrupt));
  std::filesystem::rename(alone.beside(), segment);
  EXPECT(is_ok(alone.reopen()));
  EXPECT(member.newest("/synced") == "v");
}

// Files that were read before it are not the ones that it goes on in.
TEST(a_log_that_was_cut_is_read_from_its_new_files) {
  AloneMember alone;
  TestMember& member = alone.member;
  const auto fill = [&](char byte) {
    for (int i = 0; i < 125; i++) EXPECT(is_ok(alone.put("/k", std::string(300'000, byte))));
  };
  EXPECT(is_ok(alone.put("/kept", "v")));
  const LogPosition kept = member.state().last;
  fill('a');
  alone.end_epoch();
  EXPECT(is_ok(alone.cut_back(member.state().last)));  // all but the last segment is on disk alone
  EXPECT(alone.read_cold(70) == std::string(300'000, 'a'));
  EXPECT(is_ok(alone.cut_back(kept)));
  alone.begin(2);
  fill('b');
  alone.end_epoch();
  EXPECT(is_ok(alone.cut_back(member.state().last)));
  EXPECT(alone.read_cold(70) == std::string(300'000, 'b'));
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
