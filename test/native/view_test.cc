#include "native/core/view/view.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "native/agent/view_host.h"
#include "native/core/checksum.h"
#include "native/core/view/view_table.h"
#include "test/native/support/test.h"

using namespace freshet;

namespace {

std::vector<std::byte> bytes_of(std::string_view hex) {
  std::vector<std::byte> bytes;
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  std::string_view left = hex;
  while (!left.empty()) {
    if (left.front() == ' ') {
      left.remove_prefix(1);
      continue;
    }
    bytes.push_back(static_cast<std::byte>(digit(left[0]) << 4 | digit(left[1])));
    left.remove_prefix(2);
  }
  return bytes;
}

// Written by hand from the format; test/unit/group/view-codec.test.ts has the same.
const std::vector<std::byte> written = bytes_of(
    "0100 0200 0200 0000"                        // format, members, shards, ring
    "09000000 07000000"                          // number, parent
    "03000000 01000000 ab00000000000000"         // node, seat, incarnation
    "01000000 00000000 1032547698badcfe"         //
    "01000000 05000000 01 02 02 02 01 00 00 01"  // id, epoch, flags, least, counts, seats, ranks
    "02000000 02010000 02 01 00 00"              //
    "00000000");                                 // what is added: nothing

View sample() {
  View view;
  view.number = 9;
  view.parent = 7;
  view.members = {{{3, 0xab}, 1}, {{1, 0xfedcba9876543210}, 0}};
  view.shards = {{1, 5, true, false, {1, 0}, {0, 1}, 2}, {2, 258, false, true, {}, {}}};
  return view;
}

std::vector<std::byte> encoded(const View& view) {
  std::vector<std::byte> bytes(encoded_size(view));
  encode_view(view, bytes);
  return bytes;
}

}  // namespace

TEST(an_encoded_view_has_the_bytes_that_the_event_loop_writes) {
  EXPECT(*sample().fault() == '\0');
  EXPECT(encoded(sample()) == written);
  View decoded;
  EXPECT(decode_view(written, decoded));
  EXPECT(decoded == sample());
}

TEST(a_view_says_how_large_the_rings_are_that_begin_with_it) {
  View view = sample();
  EXPECT(view.ring_size(kRingSizeMax) == kRingSizeMax);
  view.ring = 17;
  std::vector<std::byte> bytes = written;
  bytes[6] = std::byte{17};
  EXPECT(encoded(view) == bytes);
  View read;
  EXPECT(decode_view(bytes, read) && read == view);
  EXPECT(read.ring_size(kRingSizeMax) == size_t{128} << 10);
  for (const int ring : {1, 15, 24, 32, 255}) {
    bytes[6] = static_cast<std::byte>(ring);
    EXPECT(!decode_view(bytes, read));
  }
}

TEST(an_encoded_view_that_is_cut_off_is_refused) {
  for (size_t size = 0; size < written.size(); size++) {
    View decoded;
    EXPECT(!decode_view(Bytes(written).first(size), decoded));
  }
  std::vector<std::byte> longer = written;
  longer.push_back(std::byte{0});
  View decoded;
  EXPECT(!decode_view(longer, decoded));
}

TEST(a_view_record_has_both_views_and_a_checksum) {
  View next = sample();
  next.number = 10;
  next.parent = 9;
  const std::vector<std::byte> record = encode_view_record(sample(), &next, 0x0102);
  const std::vector<std::byte> head =
      bytes_of("01000000 00000000 0201000000000000 50000000 50000000");
  EXPECT(written.size() == 0x50);
  EXPECT(std::equal(head.begin(), head.end(), record.begin()));
  EXPECT(std::equal(written.begin(), written.end(), record.begin() + 24));
  const size_t body = record.size() - 4;
  EXPECT(body == 24 + 2 * written.size());
  uint32_t crc = 0;
  std::memcpy(&crc, record.data() + body, sizeof crc);
  EXPECT(crc == crc32c(record.data(), body));
  EXPECT(encode_view_record(View(), nullptr, 0).size() == 24 + 4);
}

TEST(a_row_goes_to_a_peer_that_was_congested_once_it_connects_again) {
  ViewTable table(1);
  table.open(2);
  table.on_up(2, 1);
  Outputs out;
  EXPECT(table.push(out) > 0);
  table.set_congested(2, true);
  table.set(ViewRow::kProposed, 5);
  EXPECT_EQ(table.push(out), 0);
  table.on_down(2);
  table.on_up(2, 1);
  EXPECT(table.push(out) > 0);
}
