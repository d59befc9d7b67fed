#include "native/core/shard_table.h"

#include <cstring>

#include "native/core/member_table.h"
#include "test/native/support/test.h"

namespace freshet {
namespace {

uint64_t& cell(ShardTable& table, Rank member, size_t index) {
  return reinterpret_cast<uint64_t*>(table.row(member).data())[index];
}

TEST(cells_do_not_overlap_and_fill_the_row) {
  for (size_t senders = 1; senders <= kMembersMax; senders++) {
    const RowLayout layout{senders};
    std::vector<size_t> cells = {RowLayout::tail(),      RowLayout::index(), layout.received_seq(),
                                 layout.delivered_seq(), layout.persisted(), layout.dispatched(),
                                 layout.wedged()};
    for (size_t s = 0; s < senders; s++) cells.push_back(layout.received(s));
    std::sort(cells.begin(), cells.end());
    EXPECT_EQ(cells.size(), layout.cells());
    for (size_t i = 0; i < cells.size(); i++) EXPECT_EQ(cells[i], i);
    EXPECT_EQ(layout.size() % kRecordAlignment, 0u);
    EXPECT(layout.size() >= cells.size() * sizeof(uint64_t));
  }
}

TEST(only_what_changed_is_pushed) {
  ShardTable table(3, 2, 1);
  const RowLayout& layout = table.layout();
  EXPECT(table.take_changed().empty());
  EXPECT(table.set(layout.received(0), 5));
  EXPECT(table.set(layout.delivered_seq(), 4));
  EXPECT(!table.set(layout.persisted(), 0));
  const CellRange range = table.take_changed();
  EXPECT_EQ(range.begin, layout.received(0));
  EXPECT_EQ(range.end, layout.delivered_seq() + 1);
  const Bytes bytes = table.bytes_of(range);
  EXPECT_EQ(bytes.size(), (range.end - range.begin) * 8);
  uint64_t first = 0;
  std::memcpy(&first, bytes.data(), sizeof first);
  EXPECT_EQ(first, 5u);
  EXPECT(table.take_changed().empty());
}

TEST(minima_are_over_all_members) {
  ShardTable table(3, 3, 0);
  const RowLayout& layout = table.layout();
  table.set(layout.received_seq(), 9);
  cell(table, 1, layout.received_seq()) = 7;
  EXPECT_EQ(table.look(), 3u);
  EXPECT_EQ(table.least_received_seq(), 0u);
  cell(table, 2, layout.received_seq()) = 12;
  EXPECT_EQ(table.look(), 3u);
  EXPECT_EQ(table.least_received_seq(), 7u);
  cell(table, 1, layout.received_seq()) = 20;
  EXPECT_EQ(table.look(), 3u);
  EXPECT_EQ(table.least_received_seq(), 9u);
  table.set(layout.received_seq(), 11);
  EXPECT_EQ(table.least_received_seq(), 11u);
}

TEST(alone_the_minimum_is_mine) {
  ShardTable table(1, 1, 0);
  EXPECT_EQ(table.look(), 1u);
  table.set(table.layout().received_seq(), 3);
  EXPECT_EQ(table.least_received_seq(), 3u);
}

TEST(a_cell_that_goes_back_names_its_member) {
  ShardTable table(3, 3, 0);
  const RowLayout& layout = table.layout();
  for (const size_t index :
       {RowLayout::tail(), RowLayout::index(), layout.received_seq(), layout.dispatched()}) {
    cell(table, 2, index) = 100;
    EXPECT_EQ(table.look(), 3u);
    cell(table, 2, index) = 99;
    EXPECT_EQ(table.look(), 2u);
    cell(table, 2, index) = 100;
  }
}

TEST(nobody_delivers_or_syncs_what_i_have_not_received) {
  for (const bool persisted : {false, true}) {
    ShardTable table(2, 2, 0);
    const RowLayout& layout = table.layout();
    table.set(layout.received_seq(), 10);
    const size_t index = persisted ? layout.persisted() : layout.delivered_seq();
    cell(table, 1, index) = 10;
    EXPECT_EQ(table.look(), 2u);
    cell(table, 1, index) = 11;
    EXPECT_EQ(table.look(), 1u);
  }
}

TEST(member_rows_have_room_for_every_cell) {
  const MemberRowLayout layout{5, 7};
  EXPECT_EQ(layout.echo(0), kMemberCells);
  EXPECT_EQ(layout.suspected(0), layout.echo(4) + 1);
  EXPECT_EQ(layout.released(0), layout.suspected(4) + 1);
  EXPECT_EQ(layout.wedged(0), layout.released(4) + 1);
  EXPECT_EQ(layout.cells(), layout.wedged(6) + 1);
  EXPECT(layout.proposal(0) >= layout.cells() * 8);
  EXPECT_EQ(layout.proposal(1), layout.proposal(0) + kProposalSize);
}

TEST(a_heartbeat_reaches_the_others_and_comes_back_as_an_echo) {
  MemberTable one({3, {10, 20}, 10, 2});
  MemberTable two({3, {10, 20}, 20, 2});
  const auto deliver = [](MemberTable& from, MemberTable& to) {
    Outputs out;
    from.push(out);
    for (const RegionWrite& write : out.writes) {
      for (const GrantedRegion& region : to.regions()) {
        if (region.id == write.region)
          std::memcpy(region.memory.data() + write.offset, write.bytes.data(), write.bytes.size());
      }
    }
    return out.writes.size();
  };
  one.beat(1000);
  one.set(MemberCell::kAsleep, 1);
  EXPECT_EQ(deliver(one, two), 1u);
  EXPECT_EQ(two.get(0, MemberCell::kStamp), 1000u);
  EXPECT_EQ(two.asleep(), 1u);
  two.beat(2000);
  EXPECT_EQ(deliver(two, one), 1u);
  EXPECT_EQ(one.echo(1, 0), 1000u);
  EXPECT_EQ(deliver(two, one), 0u);
  // Held back while congested, all of it afterwards, and the whole row to a new connection.
  one.set_congested(20, true);
  one.beat(3000);
  EXPECT_EQ(deliver(one, two), 0u);
  one.set_congested(20, false);
  EXPECT_EQ(deliver(one, two), 1u);
  EXPECT_EQ(two.get(0, MemberCell::kStamp), 3000u);
  one.repeat_to(20);
  EXPECT_EQ(deliver(one, two), 1u);
}

}  // namespace
}  // namespace freshet
