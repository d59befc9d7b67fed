// Whatever a member answers as current it answers under the lease of its view.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "native/core/view/view.h"
#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

std::vector<std::byte> encoded(const View& view) {
  std::vector<std::byte> bytes(encoded_size(view));
  encode_view(view, bytes);
  return bytes;
}

// Members 1, whose shard nobody shares, and 2, which was never there.
View view_of(uint64_t incarnation) {
  View view;
  view.number = 1;
  view.members = {{{1, incarnation}, 0}, {{2, 1}, 1}};
  view.shards = {{.shard = kGroupShard, .epoch = 1, .members = {0}, .senders = {0}}};
  return view;
}

}  // namespace

// The others may have gone on without it while its first view was on the way to its agent.
TEST(a_read_that_comes_with_the_first_view_waits_for_a_lease) {
  for (int round = 0; round < 20; round++) {
    std::string folder = (std::filesystem::temp_directory_path() / "freshet-lease-XXXXXX").string();
    EXPECT(mkdtemp(folder.data()) != nullptr);
    {
      TestMember alone(1, folder);
      EXPECT(is_ok(alone.open()));
      EXPECT(is_ok(alone.open_shard(false)));
      EXPECT(is_ok(alone.prepare_epoch(1, {1})));
      Member& member = alone.member();
      const Token begun = alone.next_token();
      const Token asked = alone.next_token();
      const Status called =
          member.begin_view(encoded(view_of(member.incarnation())), kGroupRing, begun);
      EXPECT(is_ok(member.wait_current(kGroupShard, false, asked)));
      EXPECT(is_ok(alone.finish(called, begun)));
      EXPECT(alone.until([&] { return alone.is_answered(asked); }));
      EXPECT_EQ(status_name(alone.answers[asked].status), status_name(Status::kNotCurrent));
      EXPECT(!member.holds_lease());
    }
    std::filesystem::remove_all(folder);
  }
}
