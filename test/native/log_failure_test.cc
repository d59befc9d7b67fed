// A real member whose log can no longer be written.
#include <sys/resource.h>

#include <csignal>

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
