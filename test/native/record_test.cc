// The record format, byte by byte.
#include "native/core/record.h"

#include <cstring>
#include <vector>

#include "native/core/checksum.h"
#include "test/native/support/records.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

TEST(header_fields_lie_where_the_format_says) {
  Change change = put_of(7, "/p/k", "value");
  change.meta = bytes_of("me");
  change.stamp = 0x1122334455667788;
  change.event_time = 42;
  const auto bytes = encode(change, 0xA1B2C3D4, 5);
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  EXPECT_EQ(bytes.size(), size_t{128});
  uint32_t length;
  std::memcpy(&length, at + 8, 4);
  EXPECT_EQ(length, 64u + 4 + 2 + 5);
  EXPECT_EQ(int{at[12]}, 1);     // kind
  EXPECT_EQ(int{at[13]}, 0);     // flags
  EXPECT_EQ(int{at[14]}, 4);     // key length
  EXPECT_EQ(int{at[16]}, 0);     // extension length
  EXPECT_EQ(int{at[18]}, 2);     // meta length
  EXPECT_EQ(int{at[20]}, 0xD4);  // shard, little endian
  EXPECT_EQ(int{at[23]}, 0xA1);
  EXPECT_EQ(int{at[24]}, 5);     // epoch
  EXPECT_EQ(int{at[28]}, 7);     // pool
  EXPECT_EQ(int{at[48]}, 0x88);  // time
  EXPECT_EQ(int{at[56]}, 42);    // event time
  EXPECT(std::memcmp(at + 64, "/p/kmevalue", 11) == 0);
  for (size_t i = 75; i < bytes.size(); i++) EXPECT_EQ(int{at[i]}, 0);
  uint32_t crc;
  std::memcpy(&crc, at + 4, 4);
  EXPECT_EQ(crc, crc32c("/p/kmevalue", 11));
}

TEST(views_give_back_what_was_encoded) {
  Change change = put_of(3, "/a/b", "");
  change.condition.version_of_key = 9;
  change.session = {11, 12, 13};
  const auto bytes = encode(change, 1, 2);
  const RecordView view(bytes.data());
  EXPECT(is_well_formed(bytes));
  EXPECT(view.key() == "/a/b");
  EXPECT_EQ(view.value().size(), size_t{0});
  EXPECT_EQ(view.condition().version_of_key, uint64_t{9});
  EXPECT_EQ(view.condition().version, Condition::kAny);
  EXPECT_EQ(view.session().session, uint64_t{11});
  EXPECT_EQ(view.session().lowest_unanswered, uint64_t{13});
  EXPECT(payload_crc_matches(view));
  EXPECT_EQ(view.size(), bytes.size());
}

TEST(every_flipped_bit_is_noticed) {
  auto bytes = encode(put_of(3, "/a/b", "some value"), 1, 2);
  auto& header = *reinterpret_cast<RecordHeader*>(bytes.data());
  header.version = 17;
  seal_header(header);
  for (size_t bit = 0; bit < header.length * size_t{8}; bit++) {
    auto flipped = bytes;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    const RecordView view(flipped.data());
    const bool sound =
        is_well_formed(flipped) && header_crc_matches(view.header()) && payload_crc_matches(view);
    EXPECT(!sound);
  }
}

TEST(lengths_that_do_not_fit_are_refused) {
  auto bytes = encode(put_of(3, "/a/b", "some value"), 1, 2);
  EXPECT(is_well_formed(bytes));
  EXPECT(!is_well_formed({bytes.data(), bytes.size() - 1}));
  EXPECT(!is_well_formed({bytes.data(), 63}));
  auto& header = *reinterpret_cast<RecordHeader*>(bytes.data());
  const RecordHeader whole = header;
  header.key_length = 1000;
  EXPECT(!is_well_formed(bytes));
  header = whole;
  header.extension_length = 8;
  EXPECT(!is_well_formed(bytes));
  header = whole;
  header.length = 63;
  EXPECT(!is_well_formed(bytes));
  header = whole;
  header.kind = static_cast<RecordKind>(99);
  EXPECT(!is_well_formed(bytes));
}
