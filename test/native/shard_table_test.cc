#include "native/core/shard_table.h"

#include <cstring>

#include "native/core/pair_table.h"
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
    for (size_t slot = 0; slot < senders * kTransfersMax; slot++) {
      cells.push_back(layout.steps_sent(slot));
      cells.push_back(layout.steps_got(slot));
    }
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

TEST(thread_288_a_cell_that_goes_back_names_its_member) {
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

TEST(a_heartbeat_reaches_the_other_and_comes_back_as_an_echo) {
  PairTable one(10, 20);
  PairTable two(20, 10);
  const auto beat = [](PairTable& from, PairTable& to, Nanos now) {
    Outputs out;
    from.beat(now, 0, out);
    EXPECT_EQ(out.writes.size(), 1u);
    const RegionWrite& write = out.writes[0];
    const GrantedRegion region = to.region();
    EXPECT(region.id == write.region);
    std::memcpy(region.memory.data() + write.offset, write.bytes.data(), write.bytes.size());
  };
  beat(one, two, 1000);
  EXPECT_EQ(two.stamp(), 1000u);
  beat(two, one, 2000);
  EXPECT_EQ(one.echo(), 1000u);
  EXPECT_EQ(one.stamp(), 2000u);
}

}  // namespace
}  // namespace freshet
