#include "native/core/session_table.h"

#include <utility>
#include <vector>

#include "test/native/support/test.h"

using namespace freshet;
using Seen = SessionTable::Seen;

namespace {

Seen look(const SessionTable& table, uint64_t session, uint64_t request,
          SessionAnswer* out = nullptr) {
  SessionAnswer answer;
  const Seen seen = table.look_up({session, request, 1}, answer);
  if (out != nullptr) *out = answer;
  return seen;
}

void record(SessionTable& table, uint64_t session, uint64_t request, uint64_t lowest = 1) {
  table.record({session, request, lowest}, {.version = session * 1000 + request});
}

// Gives `to`, which is empty, all of a table. Returns how many pieces that took.
size_t copy_in_pieces(const SessionTable& table, size_t size_max, SessionTable& to) {
  size_t pieces = 0;
  for (size_t entries = 0; pieces == 0 || entries < table.entries(); pieces++) {
    const size_t before = entries;
    const std::vector<std::byte> piece = table.encode(entries, size_max);
    EXPECT(piece.size() <= size_max);
    EXPECT(entries > before || table.entries() == 0);
    EXPECT_EQ(SessionTable::begins(piece), pieces == 0);
    EXPECT(to.add(piece));
  }
  return pieces;
}

TEST(a_table_grows_with_its_sessions_and_keeps_them_apart) {
  constexpr uint64_t kMade = 20'000;
  SessionTable table;
  for (uint64_t id = 1; id <= kMade; id++) record(table, id, 1);
  EXPECT_EQ(table.count(), kSessionsMax);
  for (uint64_t id = 1; id <= kMade; id++) {
    const bool kept = id > kMade - kSessionsMax;
    EXPECT(look(table, id, 1) == (kept ? Seen::kRepeat : Seen::kExpired));
  }
  EXPECT(look(table, kMade + 1, 1) == Seen::kNew);
}

}  // namespace

TEST(a_repeat_gets_the_first_answer_in_any_order) {
  SessionTable table;
  for (const uint64_t request : {3u, 1u, 7u, 2u}) {
    EXPECT(look(table, 5, request) == Seen::kNew);
    record(table, 5, request);
  }
  for (const uint64_t request : {1u, 2u, 3u, 7u}) {
    SessionAnswer answer;
    EXPECT(look(table, 5, request, &answer) == Seen::kRepeat);
    EXPECT_EQ(answer.version, 5000 + request);
  }
  EXPECT(look(table, 5, 4) == Seen::kNew);
}

TEST(what_the_client_has_is_forgotten_and_then_refused) {
  SessionTable table;
  for (uint64_t request = 1; request <= 10; request++) record(table, 5, request);
  record(table, 5, 11, 8);
  EXPECT(look(table, 5, 7) == Seen::kExpired);
  EXPECT(look(table, 5, 8) == Seen::kRepeat);
}

TEST(the_window_is_bounded) {
  SessionTable table;
  for (uint64_t request = 1; request <= kSessionWindow + 5; request++) record(table, 9, request);
  EXPECT(look(table, 9, 5) == Seen::kExpired);
  EXPECT(look(table, 9, 6) == Seen::kRepeat);
}

TEST(the_session_used_longest_ago_makes_room_and_is_remembered) {
  SessionTable table(3, 2);
  record(table, 1, 1);
  record(table, 2, 1);
  record(table, 3, 1);
  record(table, 1, 2);  // 2 is now the oldest
  record(table, 4, 1);
  EXPECT_EQ(table.count(), size_t{3});
  EXPECT(look(table, 2, 1) == Seen::kExpired);
  EXPECT(look(table, 2, 2) == Seen::kExpired);
  EXPECT(look(table, 1, 1) == Seen::kRepeat);
  EXPECT(look(table, 3, 1) == Seen::kRepeat);
  record(table, 5, 1);  // evicts 3
  record(table, 6, 1);  // evicts 1; 2 is forgotten for good
  EXPECT(look(table, 3, 1) == Seen::kExpired);
  EXPECT(look(table, 1, 1) == Seen::kExpired);
  EXPECT(look(table, 2, 1) == Seen::kNew);
}

TEST(looking_changes_nothing_and_the_same_order_gives_the_same_state) {
  SessionTable a(50, 20);
  SessionTable b(50, 20);
  uint64_t x = test::seed(3);
  for (int i = 0; i < 20'000; i++) {
    x = x * 6364136223846793005 + 1442695040888963407;
    const SessionStamp stamp{1 + (x >> 40) % 90, 1 + (x >> 20) % 40, 1 + (x >> 50) % 10};
    SessionAnswer answer;
    (void)b.look_up({stamp.session + 7, stamp.request, 1}, answer);
    const Seen seen = a.look_up(stamp, answer);
    EXPECT(seen == b.look_up(stamp, answer));
    if (seen != Seen::kNew) continue;
    a.record(stamp, {.version = static_cast<Version>(i)});
    b.record(stamp, {.version = static_cast<Version>(i)});
  }
  EXPECT_EQ(a.digest(), b.digest());
}

TEST(a_table_is_read_back_as_it_was) {
  SessionTable table(3, 4);
  for (uint64_t session = 1; session <= 9; session++) {
    for (uint64_t request = 1; request <= session; request++)
      record(table, session, request, request / 2);
  }
  SessionTable copy(3, 4);
  record(copy, 77, 1);
  SessionTable fresh(3, 4);
  EXPECT_EQ(copy_in_pieces(table, SIZE_MAX, fresh), size_t{1});
  copy.take(std::move(fresh));
  EXPECT_EQ(copy.digest(), table.digest());
  for (SessionTable* one : {&table, &copy}) {
    EXPECT(look(*one, 8, 8) == Seen::kRepeat);
    EXPECT(look(*one, 8, 3) == Seen::kExpired);
    EXPECT(look(*one, 5, 1) == Seen::kExpired);
    EXPECT(look(*one, 1, 1) == Seen::kNew);  // forgotten even as evicted
    record(*one, 50, 1);
    record(*one, 7, 20);
  }
  EXPECT_EQ(copy.digest(), table.digest());
  SessionTable none(3, 4);
  EXPECT_EQ(copy_in_pieces(SessionTable(3, 4), SIZE_MAX, none), size_t{1});
  EXPECT(none.empty());
}

TEST(a_table_goes_in_pieces_of_any_size) {
  SessionTable table(3, 4);
  for (uint64_t session = 1; session <= 9; session++) record(table, session, session);
  record(table, 9, 20);
  size_t entries = 0;
  const size_t none = table.encode(entries, SessionTable::kPieceMin).size();
  EXPECT_EQ(none, SessionTable::kPieceMin);
  EXPECT_EQ(entries, size_t{0});
  const size_t largest = 8 * (SessionTable::kSessionWords + 2 * SessionTable::kAnswerWords);
  for (size_t size = none + largest; size < 60 * 8; size++) {
    SessionTable copy(3, 4);
    (void)copy_in_pieces(table, size, copy);
    EXPECT_EQ(copy.digest(), table.digest());
  }
}

TEST(what_is_no_piece_is_refused) {
  SessionTable table(3, 4);
  for (uint64_t session = 1; session <= 9; session++) record(table, session, session);
  size_t entries = 0;
  std::vector<std::byte> bytes = table.encode(entries, SIZE_MAX);
  EXPECT_EQ(entries, table.entries());
  const auto takes = [](Bytes piece, size_t sessions_max = 3, size_t evicted_max = 4) {
    return SessionTable(sessions_max, evicted_max).add(piece);
  };
  EXPECT(takes(bytes));
  for (size_t size = 0; size < bytes.size(); size++) EXPECT(!takes(Bytes(bytes).first(size)));
  EXPECT(!takes(bytes, 2, 4));
  EXPECT(!takes(bytes, 3, 2));
  SessionTable twice(9, 9);
  EXPECT(twice.add(bytes));
  EXPECT(!twice.add(bytes));       // does not go on from it
  bytes[4 * 8] = std::byte{0xFF};  // more answers than there are
  EXPECT(!takes(bytes));
}

TEST(a_table_as_large_as_it_gets_goes_in_bounded_pieces) {
  SessionTable table;
  for (uint64_t session = 1; session <= kSessionsMax; session++) {
    for (uint64_t request = 1; request <= kSessionWindow; request++)
      record(table, session, request);
  }
  const size_t pieces_min = kSessionsMax * kSessionWindow * 32 / kCopySlice;
  SessionTable copy;
  const size_t pieces = copy_in_pieces(table, kCopySlice, copy);
  EXPECT_EQ(copy.digest(), table.digest());
  EXPECT(pieces >= pieces_min && pieces < 2 * pieces_min);
}
