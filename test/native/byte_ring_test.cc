#include "native/core/byte_ring.h"

#include <cstring>
#include <deque>
#include <vector>

#include "native/core/aligned_memory.h"
#include "native/io/seeded_random.h"
#include "test/native/support/test.h"

namespace freshet {
namespace {

std::byte* put(ByteRingWriter& ring, size_t length, uint64_t number) {
  std::byte* place = ring.reserve(padded(length));
  if (place == nullptr) return nullptr;
  std::memset(place, static_cast<int>(number & 0xFF), padded(length));
  RecordHeader header = {};
  header.length = static_cast<uint32_t>(length);
  header.kind = RecordKind::kPut;
  header.sequence = static_cast<Sequence>(number);
  std::memcpy(place, &header, sizeof header);
  ring.commit(padded(length));
  return place;
}

TEST(a_full_ring_gives_no_room_until_it_is_freed) {
  AlignedMemory memory(1024);
  ByteRingWriter ring(memory.bytes());
  for (uint64_t i = 0; i < 4; i++) EXPECT(put(ring, 256, i) != nullptr);
  EXPECT(put(ring, 64, 4) == nullptr);
  ring.free_up_to(256);
  EXPECT(put(ring, 64, 4) == memory.data());
  EXPECT_EQ(ring.tail(), 1088u);
}

TEST(a_record_never_crosses_the_end) {
  AlignedMemory memory(1024);
  ByteRingWriter ring(memory.bytes());
  EXPECT(put(ring, 960, 0) != nullptr);
  ring.free_up_to(960);
  EXPECT(put(ring, 128, 1) == memory.data());
  EXPECT_EQ(ring.tail(), 1152u);
  EXPECT(ring.header_at(960).kind == RecordKind::kWrap);
  EXPECT(header_crc_matches(ring.header_at(960)));
  EXPECT_EQ(ring.skip_wrap(960), 1024u);
  EXPECT_EQ(ring.skip_wrap(1024), 1024u);
}

TEST(what_lies_behind_a_wrap_is_not_sent) {
  AlignedMemory memory(4096);
  ByteRingWriter ring(memory.bytes());
  EXPECT(put(ring, 3072, 0) != nullptr);
  ring.free_up_to(3072);
  EXPECT(put(ring, 2048, 1) != nullptr);
  RingPiece pieces[2];
  EXPECT_EQ(ring.pieces(3072, pieces), 2);
  EXPECT_EQ(pieces[0].offset, 3072u);
  EXPECT_EQ(pieces[0].bytes.size(), sizeof(RecordHeader));
  EXPECT_EQ(pieces[1].offset, 0u);
  EXPECT_EQ(pieces[1].bytes.size(), 2048u);
  EXPECT_EQ(ring.pieces(ring.tail(), pieces), 0);
}

// Random records, pushed and read at random times: the reader sees each once, in order, whole.
TEST(records_arrive_whole_and_in_order) {
  for (uint64_t round = 0; round < 40; round++) {
    SeededRandom random(test::seed(round));
    const size_t size = size_t{1024} << random.below(4);
    AlignedMemory mine(size);
    AlignedMemory theirs(size);
    ByteRingWriter ring(mine.bytes());
    ByteRingCursor cursor(theirs.data(), size);
    uint64_t pushed = 0;
    uint64_t written = 0;
    uint64_t read = 0;
    std::deque<size_t> lengths;
    while (read < 2000) {
      const size_t length = 64 + random.below(size / 4 - 63);
      if (put(ring, length, written) != nullptr) {
        written++;
        lengths.push_back(length);
      }
      if (random.chance(40)) {
        RingPiece pieces[2];
        const int count = ring.pieces(pushed, pieces);
        for (int i = 0; i < count; i++)
          std::memcpy(theirs.data() + pieces[i].offset, pieces[i].bytes.data(),
                      pieces[i].bytes.size());
        pushed = ring.tail();
      }
      while (random.chance(60) && cursor.position() < pushed) {
        if (cursor.header().kind == RecordKind::kWrap) {
          cursor.move_to(cursor.next_start());
          continue;
        }
        const RecordHeader header = cursor.header();
        EXPECT_EQ(static_cast<uint64_t>(header.sequence), read);
        EXPECT_EQ(header.length, lengths.front());
        EXPECT(padded(header.length) <= cursor.available(pushed));
        for (size_t i = sizeof header; i < header.length; i++)
          EXPECT(cursor.data()[i] == static_cast<std::byte>(read & 0xFF));
        cursor.advance(padded(header.length));
        lengths.pop_front();
        read++;
        ring.free_up_to(cursor.position());
      }
    }
  }
}

}  // namespace
}  // namespace freshet
