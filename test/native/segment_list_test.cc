// Memory of segments: taken from the system, given back, used again.
#include "native/core/store/segment_list.h"

#include "native/core/store/reclaimer.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr size_t kSize = size_t{64} << 10;
constexpr size_t kMemory = 32 * kSize;
constexpr size_t kFew = 4 * kSize;  // what is kept in any case

}  // namespace

TEST(what_is_given_back_is_used_again_where_it_fits) {
  Reclaimer reclaimer;
  SegmentList segments(reclaimer, kSize, 0, kMemory);
  const SegmentList::Staged first = segments.stage(10 * kSize);
  const SegmentList::Staged longer = segments.stage(11 * kSize);
  EXPECT_EQ(segments.resident_bytes(), 21 * kSize);
  segments.discard(longer);
  segments.discard(first);
  EXPECT_EQ(segments.resident_bytes(), 0u);
  EXPECT_EQ(segments.spare_bytes(), 21 * kSize);
  // The one that leaves least over.
  const SegmentList::Staged next = segments.stage(9 * kSize);
  EXPECT(next.memory == first.memory && next.capacity == first.capacity);
  EXPECT_EQ(segments.resident_bytes(), 10 * kSize);
  EXPECT_EQ(segments.spare_bytes(), 11 * kSize);
  // Neither one that is much longer, nor for segments of many records another size.
  const SegmentList::Staged shorter = segments.stage(7 * kSize);
  EXPECT_EQ(shorter.capacity, 7 * kSize);
  EXPECT_EQ(segments.open(1).capacity, kSize);
  EXPECT_EQ(segments.spare_bytes(), 11 * kSize);
  segments.discard(next);
  segments.discard(shorter);
}

TEST(no_more_is_kept_than_the_store_is_to_take) {
  Reclaimer reclaimer;
  SegmentList segments(reclaimer, kSize, 0, kMemory);
  segments.discard(segments.stage(20 * kSize));
  EXPECT_EQ(segments.spare_bytes(), 20 * kSize);
  // The others need the room.
  const SegmentList::Staged other = segments.stage(15 * kSize);
  EXPECT_EQ(segments.spare_bytes(), 0u);
  const SegmentList::Staged large = segments.stage(40 * kSize);
  segments.discard(other);
  EXPECT_EQ(segments.spare_bytes(), 0u);
  // A few segments of the usual size are kept while all is taken.
  std::vector<SegmentList::Staged> few;
  for (int i = 0; i < 6; i++) few.push_back(segments.stage(1));
  for (const SegmentList::Staged& one : few) segments.discard(one);
  EXPECT_EQ(segments.spare_bytes(), kFew);
  segments.discard(large);
  EXPECT(segments.spare_bytes() <= kMemory);
}
