// Records too long to be given, read or sent as a whole: whole members over files, and a log with
// damage in such a one.
#include <algorithm>
#include <string>
#include <vector>

#include "native/agent/log_repair.h"
#include "native/agent/log_scrub.h"
#include "native/agent/scan.h"
#include "native/core/store/location.h"
#include "test/native/support/log_rig.h"
#include "test/native/support/member_group.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

// A record behind it could not be named, if it began where this one ends.
constexpr size_t kLongSize = kRecordOffsetEnd + 12'345;

std::string long_value(size_t size) {
  std::string value(size, '\0');
  for (size_t i = 0; i < size; i++) value[i] = static_cast<char>((i * 2654435761U) >> 13);
  return value;
}

void put_all(MemberGroup& group, const std::string& value) {
  group.open();
  group.start(1);
  group.make_pool();
  const Token before = group[0].put("/k/before", "short", Ack::kPersisted);
  const Token whole = group[1].put("/k/long", value, Ack::kPersisted);
  EXPECT(group.until([&] { return group[1].is_answered(whole); }));
  EXPECT_EQ(group[1].answers.at(whole).status, Status::kOk);
  const Token behind = group[2].put("/k/behind", "short too", Ack::kPersisted);
  EXPECT(group.until([&] { return group[2].is_answered(behind) && group[0].is_answered(before); }));
  EXPECT_EQ(group[2].answers.at(behind).version, Version{3});
  EXPECT_EQ(group[1].released, size_t{1});
}

std::vector<std::byte> result_of(TestMember& member, Status called, Token token) {
  EXPECT_EQ(member.finish(called, token), Status::kOk);
  return member.member().take_result(token).value_or(ResultBytes{});
}

Status read_chunk(TestMember& from, LogPosition after, std::vector<std::byte>& out) {
  const Token token = from.next_token();
  const Status called = from.member().read_log(kGroupShard, after, {}, kLogBytesMax, token);
  const Status status = from.finish(called, token);
  if (is_ok(status)) out = from.member().take_result(token).value_or(ResultBytes{});
  return status;
}

std::vector<std::byte> read_piece(TestMember& member, LogPosition after, uint64_t from) {
  const Token token = member.next_token();
  return result_of(
      member, member.member().read_piece(kGroupShard, after, from, kPieceBytesMax, token), token);
}

Status append_piece(TestMember& to, uint64_t from, const std::vector<std::byte>& piece) {
  const Token token = to.next_token();
  return to.finish(to.member().append_piece(kGroupShard, from, piece, token), token);
}

// The last of the records that come before the long one.
LogPosition before_long(TestMember& member) {
  std::vector<std::byte> chunk;
  EXPECT_EQ(read_chunk(member, {}, chunk), Status::kOk);
  LogPosition last;
  for (size_t at = 0; at < chunk.size(); at += RecordView(chunk.data() + at).size())
    last = position_of(RecordView(chunk.data() + at).header());
  return last;
}

// Fills `to` with all that `from` has, as one member fills another.
void fill(TestMember& from, TestMember& to) {
  size_t pieces = 0;
  for (LogPosition after; after < from.state().last; after = to.state().last) {
    std::vector<std::byte> chunk;
    const Status status = read_chunk(from, after, chunk);
    EXPECT_EQ(status, Status::kOk);
    std::vector<std::byte> piece = chunk;
    const RecordHeader header = RecordView(piece.data()).header();
    if (padded(header.length) <= chunk.size()) {
      const Token token = to.next_token();
      EXPECT(is_ok(to.finish(to.member().append_log(kGroupShard, chunk, token), token)));
      continue;
    }
    const LogPosition before{header.epoch, header.sequence - 1};
    for (uint64_t at = 0; !piece.empty(); pieces++) {
      EXPECT(is_ok(append_piece(to, at, piece)));
      at += piece.size();
      piece = read_piece(from, before, at);
    }
  }
  EXPECT(pieces > kLongSize / kPieceBytesMax);
}

// The values' sizes, as a scan with values gives them, and whether each came with its value.
void expect_scanned(TestMember& member, const std::string& value) {
  ScanRequest request;
  request.shard = kGroupShard;
  request.prefix = "/k/";
  const Token token = member.next_token();
  const std::vector<std::byte> rows =
      result_of(member, member.member().scan(request, token), token);
  std::vector<size_t> sizes;
  size_t lacking = 0;
  for (size_t at = 0; sizes.size() < 3; at += RecordView(rows.data() + at).size()) {
    const RecordView record(rows.data() + at);
    const bool is_long = record.key() == "/k/long";
    lacking += is_long && record.value().empty() ? 1 : 0;
    sizes.push_back(is_long ? static_cast<size_t>(record.header().sequence)
                            : record.value().size());
  }
  EXPECT(sizes == (std::vector<size_t>{5, value.size(), 9}));
  EXPECT_EQ(lacking, size_t{1});
}

void expect_cold(TestMember& member, const std::string& value) {
  ShardReaders readers;
  Found found;
  {
    const auto access = readers.access(*member.member().find_shard(kGroupShard));
    const Store::ReadGuard guard(*access.reader);
    found = access.store->get("/k/long", {});
  }
  EXPECT_EQ(found.status, Status::kCold);
  const Token token = member.next_token();
  const std::vector<std::byte> bytes =
      result_of(member,
                member.member().read_cold(kGroupShard, found.cold_segment, found.cold_offset,
                                          found.cold_length, token),
                token);
  EXPECT(text_of(RecordView(bytes.data()).value()) == value);
}

}  // namespace

TEST(a_place_tells_the_length_of_a_long_record_rounded_up) {
  for (const size_t size : {kLongSizeMin - 64, kLongSizeMin, kLongSizeMin + 64,
                            padded(kRecordSizeMax), kRecordOffsetEnd + 4'096}) {
    const Location location(77, 4'096, size, true);
    EXPECT(location.size() >= size && location.size() < size + kLongUnit);
    EXPECT(size >= kLongSizeMin || location.size() == size);
    EXPECT_EQ(location.segment(), uint32_t{77});
    EXPECT_EQ(location.offset(), size_t{4'096});
    EXPECT(location.removed() && !location.hidden() && location.as_hidden().size() >= size);
    EXPECT(!location.as_pruned().has_record());
    EXPECT(location.moved_to(3, 64).size() == location.size());
  }
}

TEST(a_long_value_is_put_read_scanned_and_restored_at_all_members) {
  const std::string value = long_value(kLongSize);
  MemberGroup group(true);
  put_all(group, value);
  for (size_t i = 0; i < group.size(); i++) {
    EXPECT(group.until([&] { return group[i].newest("/k/behind") == "short too"; }));
    EXPECT(group[i].newest("/k/long") == value);
    expect_scanned(group[i], value);
  }
  group.expect_alike();
  const ShardState before = group[0].state();
  group.close();

  group.open();
  for (size_t i = 0; i < group.size(); i++) {
    EXPECT_EQ(group[i].state().digest, before.digest);
    expect_scanned(group[i], value);
    expect_cold(group[i], value);
  }
}

TEST(a_long_record_comes_to_another_member_in_pieces_from_memory_and_from_disk) {
  const std::string value = long_value(kLongSize);
  MemberGroup group(true);
  put_all(group, value);
  group.expect_alike();
  MemberGroup others(true);
  others.open();
  fill(group[0], others[0]);
  group.close();
  group.open();
  fill(group[1], others[1]);
  for (size_t i = 0; i < 2; i++) {
    EXPECT_EQ(others[i].state().digest, group[2].state().digest);
    EXPECT(others[i].newest("/k/long") == value);
    EXPECT_EQ(others[i].newest("/k/behind"), "short too");
  }
  // What was filled is on disk.
  others.close();
  others.open();
  EXPECT_EQ(others[0].state().digest, group[2].state().digest);
}

TEST(pieces_that_do_not_follow_or_do_not_match_are_refused) {
  MemberGroup group(true);
  put_all(group, long_value(kLongSize));
  MemberGroup others(true);
  others.open();
  TestMember& to = others[0];
  const auto append = [&](uint64_t from, const std::vector<std::byte>& piece) {
    return append_piece(to, from, piece);
  };
  const LogPosition last = before_long(group[0]);
  EXPECT(last < group[0].state().last);
  const std::vector<std::byte> piece = read_piece(group[0], last, 0);
  EXPECT_EQ(append(kPieceBytesMax, piece), Status::kConditionFailed);
  std::vector<std::byte> other = piece;
  other[40] ^= std::byte{1};  // of the header
  EXPECT_EQ(append(0, other), Status::kInvalidArgument);
  EXPECT_EQ(append(0, piece), Status::kOk);
  EXPECT_EQ(append(0, piece), Status::kOk);  // begun anew
  EXPECT_EQ(append(2 * kPieceBytesMax, piece), Status::kConditionFailed);
  // All of it, but one bit.
  const RecordHeader header = RecordView(piece.data()).header();
  const LogPosition before{header.epoch, header.sequence - 1};
  const size_t size = padded(header.length);
  for (uint64_t at = kPieceBytesMax; at < size;) {
    std::vector<std::byte> next = read_piece(group[0], before, at);
    const uint64_t end = at + next.size();
    if (end == size) next[next.size() / 2] ^= std::byte{4};
    EXPECT_EQ(append(at, next), end == size ? Status::kLogCorrupt : Status::kOk);
    at = end;
  }
  EXPECT_EQ(to.state().version, Version{0});
}

TEST(memory_of_a_long_record_that_will_not_come_whole_is_given_back_at_once) {
  MemberGroup group(true);
  put_all(group, long_value(kWholeRecordMax));
  MemberGroup others(true);
  others.open();
  TestMember& to = others[0];
  ShardReaders readers;
  const auto store = readers.access(*to.member().find_shard(kGroupShard)).store;
  const auto resident = [&] { return store->stats().resident_bytes; };
  const uint64_t before = resident();
  const LogPosition last = before_long(group[0]);
  std::vector<std::byte> piece = read_piece(group[0], last, 0);
  const size_t size = padded(RecordView(piece.data()).header().length);

  // The donor is gone.
  EXPECT_EQ(append_piece(to, 0, piece), Status::kOk);
  EXPECT(resident() >= before + size);
  EXPECT_EQ(to.member().drop_pieces(kGroupShard), Status::kOk);
  EXPECT_EQ(append_piece(to, kPieceBytesMax, piece), Status::kConditionFailed);
  EXPECT_EQ(resident(), before);

  // All of it, but not its bytes.
  const std::vector<std::byte> first = piece;
  for (uint64_t at = 0; at < size; at += piece.size()) {
    piece.resize(std::min(piece.size(), size - at));
    const bool is_last = at + piece.size() == size;
    EXPECT_EQ(append_piece(to, at, piece), is_last ? Status::kLogCorrupt : Status::kOk);
  }
  EXPECT_EQ(resident(), before);

  // The shard ends here, while somebody reads.
  EXPECT_EQ(append_piece(to, 0, first), Status::kOk);
  const Token token = to.next_token();
  EXPECT(is_ok(to.finish(to.member().close_shard(kGroupShard, token), token)));
  EXPECT_EQ(resident(), before);
}

// A long record with short ones before and behind it.
void write_long(LogRig& rig, const std::string& value) {
  (void)rig.open();
  (void)rig.feed->pool(1);
  (void)rig.feed->put("k/a", "short");
  rig.turn();
  (void)rig.feed->put("k/long", value);
  rig.turn();
  (void)rig.feed->put("k/b", "short");
  rig.turn(true);
  rig.turn(true);
}

TEST(damage_in_a_long_record_is_found_at_the_opening_and_by_the_scrub) {
  SimulatedFileSystem disk;
  const std::string value = long_value(kWholeRecordMax + 100'000);
  LogRig rig(disk);
  write_long(rig, value);
  const uint64_t digest = rig.store->digest();
  const LogPlace end{rig.store->synced_end().segment, rig.store->synced_end().offset};

  const auto scrub = [&] {
    std::vector<LogPlace> damage;
    uint64_t bytes = 0;
    for (LogPlace at; at < end;) {
      const ScrubStep step =
          scrub_log(disk, {"/data/shard-3", kCluster, 3, end}, at, size_t{1} << 20);
      if (step.status == Status::kLogCorrupt) damage.push_back(step.damage);
      bytes += step.bytes;
      at = step.next;
    }
    EXPECT(!damage.empty() || bytes > value.size());
    return damage;
  };
  EXPECT(scrub().empty());
  rig.writer.reset();
  EXPECT_EQ(rig.open().status, Status::kOk);
  EXPECT_EQ(rig.store->digest(), digest);
  rig.writer.reset();

  EXPECT(disk.flip_bit(path_of_segment(1), kDiskHeaderSize + value.size() / 2, 5));
  const std::vector<LogPlace> damage = scrub();
  EXPECT(damage == (std::vector<LogPlace>{{1, kDiskHeaderSize}}));
  const RecoveryResult result = rig.open();
  EXPECT_EQ(result.status, Status::kLogCorrupt);
  EXPECT_EQ(result.segment, uint64_t{1});
  EXPECT_EQ(result.offset, uint64_t{kDiskHeaderSize});
}

std::vector<std::byte> content_of(SimulatedFileSystem& disk, uint64_t segment) {
  std::vector<std::byte> bytes;
  EXPECT(is_ok(load_segment(disk, "/data/shard-3", segment, bytes)));
  return bytes;
}

// What a member with these segments sends for a hole: the neighbours, a long one as its header
// alone, and all between.
std::vector<std::byte> fetch(const std::vector<std::vector<std::byte>>& segments,
                             const LogHole& hole) {
  std::vector<std::byte> out;
  for (const std::vector<std::byte>& bytes : segments) {
    for (size_t at = kDiskHeaderSize; at < bytes.size();) {
      const RecordView record(bytes.data() + at);
      const RecordHeader& header = record.header();
      if (header.length == 0) break;
      at += record.size();
      if (is_log_only(header.kind)) continue;
      const LogPosition position = position_of(header);
      const bool is_before = hole.before && position == position_of(*hole.before);
      const bool is_behind = hole.behind && position == position_of(*hole.behind);
      if (hole.before && position < position_of(*hole.before)) continue;
      if (hole.behind && position > position_of(*hole.behind)) continue;
      const bool is_alone = header.length > kWholeRecordMax && (is_before || is_behind);
      const size_t size = is_alone ? sizeof header : record.size();
      out.insert(out.end(), record.start(), record.start() + size);
    }
  }
  return out;
}

TEST(a_damaged_long_record_and_those_beside_it_are_mended) {
  SimulatedFileSystem disk;
  const std::string value = long_value(kWholeRecordMax + 100'000);
  LogRig rig(disk);
  write_long(rig, value);
  const LogPlace end{rig.store->synced_end().segment, rig.store->synced_end().offset};
  const auto placed = [&](Version version) { return rig.store->place_of(version).value(); };
  std::vector<std::vector<std::byte>> sound;
  for (uint64_t segment = 0; segment <= end.segment; segment++)
    sound.push_back(content_of(disk, segment));
  const LogRepair repair{"/data/shard-3", kCluster, kDisk, 3, kRigSegment, nullptr};
  for (Version version = 1; version <= 3; version++) {
    const Store::DurableAt at = placed(version);
    EXPECT(disk.flip_bit(path_of_segment(at.segment), at.offset + 70, 5));
    std::vector<LogHole> holes;
    LogSurvey survey(disk, {repair.folder, kCluster, 3, end, {}});
    EXPECT_EQ(survey.find_holes(std::nullopt, holes), Status::kOk);
    EXPECT_EQ(holes.size(), size_t{1});
    std::vector<std::byte> records = fetch(sound, holes[0]);
    // Neighbours of another history are refused by their headers alone, too.
    std::vector<std::byte> others = records;
    others[offsetof(RecordHeader, payload_crc)] ^= std::byte{1};
    EXPECT(!is_ok(fill_hole(disk, repair, holes[0], others)));
    EXPECT_EQ(fill_hole(disk, repair, holes[0], records), Status::kOk);
    for (uint64_t segment = 0; segment <= end.segment; segment++)
      EXPECT(content_of(disk, segment) == sound[segment]);
  }
}

TEST(what_is_sound_of_a_log_that_is_not_open_is_read_a_long_record_in_pieces) {
  SimulatedFileSystem disk;
  LogRig rig(disk);
  const std::string value = long_value(kWholeRecordMax + 100'000);
  write_long(rig, value);
  LogSurvey survey(disk, {"/data/shard-3", kCluster, 3, std::nullopt, {}});
  const size_t piece = size_t{30} << 20;
  std::vector<std::byte> bytes;
  EXPECT_EQ(survey.read_sound({}, 0, piece, bytes), Status::kOk);
  LogPosition last;
  Version version = 0;
  for (size_t at = 0; at < bytes.size(); at += RecordView(bytes.data() + at).size()) {
    const RecordHeader& header = RecordView(bytes.data() + at).header();
    last = position_of(header);
    version = header.version;
  }
  EXPECT_EQ(version, Version{1});
  std::vector<std::byte> record;
  for (uint64_t size = 1; record.size() < size;) {
    bytes.clear();
    EXPECT_EQ(survey.read_sound(last, record.size(), piece, bytes), Status::kOk);
    record.insert(record.end(), bytes.begin(), bytes.end());
    size = padded(RecordView(record.data()).header().length);
  }
  EXPECT(std::ranges::equal(RecordView(record.data()).value(), std::as_bytes(std::span(value))));
  bytes.clear();
  EXPECT_EQ(survey.read_sound(last, record.size(), piece, bytes), Status::kNotFound);
  last.sequence++;
  EXPECT_EQ(survey.read_sound(last, 0, piece, bytes), Status::kOk);
  EXPECT_EQ(RecordView(bytes.data()).header().version, Version{3});
  bytes.clear();
  EXPECT_EQ(survey.read_sound(last, 64, piece, bytes), Status::kNotFound);
}
