// Damage of a log: every hole is found, by survey and scrub, filled from a sound copy of the
// history, and what comes out is that history, record for record; without a copy nothing is
// touched.
#include "native/agent/log_repair.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "native/agent/log_scrub.h"
#include "native/core/log_format.h"
#include "test/native/support/log_rig.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

const std::string kFolder = "/data/shard-3";

std::string file_of(uint64_t segment) { return kFolder + "/" + segment_name(segment); }

// A closed log of several segments, and the same history in memory: the copy of another member.
struct Damaged {
  SimulatedFileSystem disk;
  std::unique_ptr<Store> good = std::make_unique<Store>(rig_store());
  uint64_t last_segment = 0;

  explicit Damaged(uint64_t number, int count = 400) {
    std::mt19937_64 random(number);
    LogRig rig(disk);
    (void)rig.open();
    (void)rig.feed->pool(1);
    for (int i = 0; i < count; i++) {
      const uint64_t what = random() % 20;
      const std::string key = "/k" + std::to_string(random() % 60);
      if (what == 0) (void)rig.feed->pool(static_cast<PoolId>(2 + random() % 3));
      if (what == 1) (void)rig.feed->remove(key);
      if (what == 2) (void)rig.feed->put(key, std::string(9000 + random() % 9000, 'l'));
      if (what > 2) (void)rig.feed->put(key, std::string(random() % 500, 'v'));
      if (random() % 6 == 0) rig.turn(random() % 3 == 0);
    }
    rig.turn();
    rig.turn(true);
    LogRig again(disk);
    last_segment = again.open().segment;
    good = std::move(again.store);
  }

  std::vector<std::byte> content(uint64_t segment) {
    std::vector<std::byte> bytes;
    const Status status = load_segment(disk, kFolder, segment, bytes);
    EXPECT(is_ok(status) || status == Status::kNotFound);  // one that was removed is empty
    return bytes;
  }
  void replace(uint64_t segment, Bytes bytes) {
    std::unique_ptr<File> file;
    EXPECT(is_ok(disk.open(file_of(segment), FileSystem::Mode::kCreate, file)));
    EXPECT(is_ok(file->truncate(0)));
    EXPECT(is_ok(file->write_at(0, bytes)));
    EXPECT(is_ok(file->sync_data()));
  }
  std::vector<LogHole> holes(std::optional<LogPlace> end = std::nullopt) {
    LogSurvey survey(disk, {kFolder, kCluster, 3, end, {}});
    std::vector<LogHole> found;
    const Status status = survey.find_holes(std::nullopt, found);
    EXPECT(is_ok(status) || status == Status::kNotFound);
    return found;
  }
};

// What a member with the whole history sends for a hole: both neighbours and all between.
std::vector<std::byte> fetch(Store& from, const LogHole& hole) {
  LogPosition after;
  if (hole.before) after = {hole.before->epoch, hole.before->sequence - 1};
  std::vector<std::byte> out;
  std::vector<std::byte> chunk(size_t{1} << 20);
  for (;;) {
    size_t used = 0;
    LogPosition last;
    EXPECT(is_ok(from.read_log(after, chunk, used, last)));
    if (used == 0) return out;
    for (size_t at = 0; at < used; at += RecordView(chunk.data() + at).size()) {
      const RecordView record(chunk.data() + at);
      out.insert(out.end(), record.start(), record.start() + record.size());
      const RecordHeader& header = record.header();
      if (hole.behind && header.epoch == hole.behind->epoch &&
          header.sequence >= hole.behind->sequence)
        return out;
    }
    after = last;
  }
}

LogRepair rig_repair() { return {kFolder, kCluster, kDisk, 3, kRigSegment, nullptr}; }

// Fills holes until none is left; returns how many it filled. -1: one could not be filled.
int mend(Damaged& damaged, const LogRepair& repair = rig_repair(),
         std::optional<LogPlace> end = std::nullopt) {
  for (int filled = 0;; filled++) {
    const std::vector<LogHole> holes = damaged.holes(end);
    if (holes.empty()) return filled;
    const LogHole& hole = holes.front();
    const auto records = hole.begin == 0 ? std::vector<std::byte>() : fetch(*damaged.good, hole);
    if (!is_ok(fill_hole(damaged.disk, repair, hole, records))) return -1;
    EXPECT(filled < 500);
  }
}

void expect_whole(Damaged& damaged) {
  LogRig rig(damaged.disk);
  const RecoveryResult result = rig.open();
  EXPECT_EQ(status_name(result.status), status_name(Status::kOk));
  EXPECT_EQ(rig.store->digest(), damaged.good->digest());
  EXPECT_EQ(rig.store->newest_version(), damaged.good->newest_version());
  // It goes on, and comes back.
  (void)rig.feed->pool(1);
  (void)rig.feed->put("/again", "v");
  rig.turn(true);
  LogRig again(damaged.disk);
  EXPECT(is_ok(again.open().status));
  EXPECT_EQ(again.store->digest(), rig.store->digest());
}

// Some damage of any kind; false: nothing changed.
bool spoil(Damaged& damaged, std::mt19937_64& random) {
  const uint64_t segment = random() % (damaged.last_segment + 1);
  const uint64_t what = random() % 6;
  if (what == 0) return is_ok(damaged.disk.remove(file_of(segment)));
  std::vector<std::byte> bytes = damaged.content(segment);
  if (bytes.empty()) return false;
  const size_t at = random() % bytes.size();
  const size_t size = 1 + random() % std::min<size_t>(bytes.size() - at, 9000);
  const auto from = bytes.begin() + static_cast<ptrdiff_t>(at);
  if (what == 1) bytes.resize(at);
  if (what == 2) std::fill_n(from, size, std::byte{0});
  if (what == 3) std::generate_n(from, size, [&] { return static_cast<std::byte>(random()); });
  if (what == 4) *from ^= static_cast<std::byte>(1 << random() % 8);
  if (what == 5) {  // the segment's end: its index and mark
    const size_t tail = std::min<size_t>(bytes.size(), 64 + random() % 400);
    std::fill_n(bytes.end() - static_cast<ptrdiff_t>(tail), tail, std::byte{0x55});
  }
  damaged.replace(segment, bytes);
  return true;
}

}  // namespace

TEST(a_sound_log_has_no_hole) {
  Damaged damaged(seed(1));
  EXPECT(damaged.last_segment >= 4);
  EXPECT(damaged.holes().empty());
  SimulatedFileSystem empty;
  LogSurvey survey(empty, {kFolder, kCluster, 3, std::nullopt, {}});
  std::vector<LogHole> holes;
  EXPECT(survey.find_holes(std::nullopt, holes) == Status::kNotFound);
}

TEST(one_bad_bit_is_one_hole_with_its_neighbours) {
  Damaged damaged(seed(2));
  const std::vector<std::byte> before = damaged.content(1);
  EXPECT(damaged.disk.flip_bit(file_of(1), kDiskHeaderSize + 700, 3));
  const std::vector<LogHole> holes = damaged.holes();
  EXPECT_EQ(holes.size(), size_t{1});
  EXPECT_EQ(holes[0].segment, uint64_t{1});
  EXPECT(holes[0].begin <= kDiskHeaderSize + 700 && kDiskHeaderSize + 700 < holes[0].end);
  EXPECT(holes[0].before.has_value() && holes[0].behind.has_value());
  EXPECT_EQ(mend(damaged), 1);
  EXPECT(damaged.content(1) == before);
  expect_whole(damaged);
}

TEST(a_header_an_index_and_a_whole_segment_are_made_again) {
  for (const int what : {0, 1, 2, 3}) {
    Damaged damaged(seed(3));
    if (what == 0) EXPECT(damaged.disk.flip_bit(file_of(2), 20, 1));
    if (what == 1) {
      std::vector<std::byte> bytes = damaged.content(2);
      bytes[bytes.size() - 100] ^= std::byte{1};
      damaged.replace(2, bytes);
    }
    if (what == 2) EXPECT(is_ok(damaged.disk.remove(file_of(0))));
    if (what == 3) {
      for (uint64_t segment = 1; segment <= 3; segment++)
        EXPECT(is_ok(damaged.disk.remove(file_of(segment))));
    }
    LogRig rig(damaged.disk);
    EXPECT(rig.open().status == Status::kLogCorrupt);
    EXPECT(mend(damaged) > 0);
    expect_whole(damaged);
  }
}

// Whatever is spoilt, over several rounds, restarts between them: all that marks cover is mended;
// what they do not cover is cut as ever, never served wrong.
TEST(any_damage_is_mended_from_a_sound_copy) {
  std::mt19937_64 random(seed(4));
  int filled = 0;
  for (int round = 0; round < 250; round++) {
    Damaged damaged(seed(5) + random() % 6, 250);
    for (uint64_t n = 1 + random() % 4; n > 0; n--) (void)spoil(damaged, random);
    std::vector<LogHole> holes;
    LogSurvey survey(damaged.disk, {kFolder, kCluster, 3, std::nullopt, {}});
    // Nobody can tell a spoilt format, with a spoilt checksum, from a newer one.
    if (survey.find_holes(std::nullopt, holes) == Status::kNewerFormat) continue;
    {
      LogRig rig(damaged.disk);
      const RecoveryResult result = rig.open();
      // Found by the one is found by the other, at the same place first.
      if (result.status == Status::kLogCorrupt) EXPECT(!holes.empty());
      if (!holes.empty()) EXPECT(result.status == Status::kLogCorrupt);
    }
    const int now = mend(damaged);
    EXPECT(now >= 0);
    filled += now;
    LogRig rig(damaged.disk);
    const RecoveryResult result = rig.open();
    EXPECT_EQ(status_name(result.status), status_name(Status::kOk));
    const Version newest = rig.store->newest_version();
    for (Version version = 1; version <= newest; version++) {
      const Found mine = rig.store->get_version(version);
      const Found theirs = damaged.good->get_version(version);
      EXPECT_EQ(RecordView(mine.record).header().header_crc,
                RecordView(theirs.record).header().header_crc);
    }
    if (newest == damaged.good->newest_version() &&
        rig.store->last_position() == damaged.good->last_position())
      EXPECT_EQ(rig.store->digest(), damaged.good->digest());
  }
  EXPECT(filled > 150);
}

TEST(a_power_cut_in_the_middle_of_a_repair_leaves_it_to_be_done_again) {
  int cuts = 0;
  for (uint64_t operations = 0; operations < 40; operations++) {
    Damaged damaged(seed(6), 250);
    std::vector<std::byte> bytes = damaged.content(1);
    std::fill(bytes.begin() + 9000, bytes.begin() + 15'000, std::byte{0xEE});
    damaged.replace(1, bytes);
    EXPECT(is_ok(damaged.disk.remove(file_of(2))));
    damaged.disk.set_faults({.stop_after = operations});
    cuts += mend(damaged) < 0 ? 1 : 0;
    damaged.disk.crash(seed(7) + operations);
    EXPECT(mend(damaged) >= 0);
    expect_whole(damaged);
  }
  EXPECT(cuts >= 5);
}

TEST(a_copy_of_another_history_is_refused_and_nothing_is_touched) {
  Damaged damaged(seed(8));
  EXPECT(damaged.disk.flip_bit(file_of(1), kDiskHeaderSize + 700, 3));
  const std::vector<std::byte> bytes = damaged.content(1);
  const LogHole hole = damaged.holes().front();
  Damaged other(seed(8) + 1);
  EXPECT(fill_hole(damaged.disk, rig_repair(), hole, fetch(*other.good, hole)) ==
         Status::kConditionFailed);
  EXPECT(fill_hole(damaged.disk, rig_repair(), hole, {}) == Status::kConditionFailed);
  const std::vector<std::byte> right = fetch(*damaged.good, hole);
  // Without the record in the middle; with a bad one.
  const size_t first = RecordView(right.data()).size();
  const size_t second = RecordView(right.data() + first).size();
  std::vector<std::byte> short_one(right.begin(), right.begin() + static_cast<ptrdiff_t>(first));
  short_one.insert(short_one.end(), right.begin() + static_cast<ptrdiff_t>(first + second),
                   right.end());
  // Versions of a shard have no gap, so the record that is left out shows.
  if (takes_version(hole.behind->kind) && hole.version != 0 &&
      takes_version(RecordView(right.data() + first).header().kind))
    EXPECT(fill_hole(damaged.disk, rig_repair(), hole, short_one) == Status::kConditionFailed);
  std::vector<std::byte> bad = right;
  bad[first + 70] ^= std::byte{1};
  EXPECT(fill_hole(damaged.disk, rig_repair(), hole, bad) == Status::kInvalidArgument);
  EXPECT(damaged.content(1) == bytes);
  EXPECT(is_ok(fill_hole(damaged.disk, rig_repair(), hole, right)));
  expect_whole(damaged);
}

// Then who opens it knows that what lies there was undone.
TEST(what_lies_behind_a_cut_may_be_damaged) {
  // A record, a segment's header, and a segment that is not there.
  for (const uint64_t offset : {uint64_t{9000}, uint64_t{16}, uint64_t{0}}) {
    Damaged whole(seed(12));
    SimulatedFileSystem& disk = whole.disk;
    if (offset == 0) {
      EXPECT(is_ok(disk.remove(file_of(1))));
    } else {
      EXPECT(disk.flip_bit(file_of(1), offset, 3));
    }
    LogRig damaged(disk);
    EXPECT_EQ(status_name(damaged.open().status), status_name(Status::kLogCorrupt));
    const LogPosition before = damaged.store->last_position();
    // Not before the damage was met: what lies there is named still.
    LogRig beyond(disk);
    const LogPosition after{before.epoch, before.sequence + 1};
    EXPECT_EQ(status_name(beyond.open(after).status), status_name(Status::kLogCorrupt));
    LogRig rig(disk);
    const RecoveryResult cut = rig.open(before);
    EXPECT_EQ(status_name(cut.status), status_name(Status::kOk));
    EXPECT(cut.cut_bytes > 0);
    EXPECT(rig.store->last_position() == before);
    (void)rig.feed->pool(1);
    (void)rig.feed->put("/again", "v");
    rig.turn(true);
    LogRig again(disk);
    EXPECT(is_ok(again.open().status));
    EXPECT_EQ(again.store->digest(), rig.store->digest());
  }
}

// The store of a running member knows where its records lie: there and nowhere else they go.
TEST(an_open_log_is_mended_at_the_places_that_its_store_names) {
  std::mt19937_64 random(seed(10));
  for (int round = 0; round < 60; round++) {
    Damaged damaged(seed(11) + random() % 6);
    Store& store = *damaged.good;  // its segments lie in memory as they did on disk
    const Store::DurableAt synced = store.synced_end();
    const LogPlace end{synced.segment, synced.offset};
    LogRepair repair = rig_repair();
    repair.place_of = [&](Version version) { return store.place_of(version); };
    for (uint64_t n = 1 + random() % 3; n > 0; n--) (void)spoil(damaged, random);
    EXPECT(mend(damaged, repair, end) >= 0);
    for (Version version = 1; version <= store.newest_version(); version++) {
      const auto place = store.place_of(version);
      EXPECT(place.has_value());
      const std::vector<std::byte> bytes = damaged.content(place->segment);
      EXPECT(is_sound_at(bytes, place->offset, 3, place->segment));
      EXPECT_EQ(RecordView(bytes.data() + place->offset).header().version, version);
    }
    expect_whole(damaged);
  }
}

TEST(the_sound_part_of_a_damaged_log_serves_another) {
  std::mt19937_64 random(seed(12));
  Damaged damaged(seed(13));
  EXPECT(damaged.disk.flip_bit(file_of(1), kDiskHeaderSize + 700, 3));
  const LogHole hole = damaged.holes().front();
  LogSurvey survey(damaged.disk, {kFolder, kCluster, 3, std::nullopt, {}});
  std::vector<std::byte> out;
  const LogPosition before{hole.before->epoch, hole.before->sequence};
  EXPECT(survey.read_sound(before, 0, 4096, out) == Status::kLogCorrupt);
  LogPosition after{hole.behind->epoch, hole.behind->sequence - 1};
  Store copy(rig_store());
  LogPosition at;
  for (int step = 0; step < 2000; step++) {
    out.clear();
    const Status status = survey.read_sound(at, 0, 1 + random() % 5000, out);
    if (status == Status::kLogCorrupt) {
      EXPECT(at == before);
      const std::vector<std::byte> missing = fetch(*damaged.good, hole);
      const RecordView lost(missing.data() + RecordView(missing.data()).size());
      EXPECT(is_ok(copy.restore(lost, std::nullopt)));
      at = after;
      continue;
    }
    EXPECT(is_ok(status));
    if (out.empty()) break;
    for (size_t from = 0; from < out.size(); from += RecordView(out.data() + from).size()) {
      const RecordView record(out.data() + from);
      EXPECT(is_ok(copy.restore(record, std::nullopt)));
      at = {record.header().epoch, record.header().sequence};
    }
  }
  EXPECT_EQ(copy.digest(), damaged.good->digest());
}

TEST(a_scrub_in_steps_finds_what_a_survey_finds) {
  std::mt19937_64 random(seed(14));
  int found_damage = 0;
  for (int round = 0; round < 80; round++) {
    Damaged damaged(seed(15) + random() % 6, 250);
    const Store::DurableAt synced = damaged.good->synced_end();
    const LogScrub scrub{kFolder, kCluster, 3, {synced.segment, synced.offset}};
    if (round % 4 != 0) (void)spoil(damaged, random);
    const std::vector<LogHole> holes = damaged.holes(scrub.end);
    std::vector<uint64_t> segments;
    for (const LogHole& hole : holes) {
      if (segments.empty() || segments.back() != hole.segment) segments.push_back(hole.segment);
    }
    std::vector<uint64_t> found;
    uint64_t bytes = 0;
    LogPlace at;
    for (int step = 0; at < scrub.end; step++) {
      EXPECT(step < 10'000);
      const ScrubStep done = scrub_log(damaged.disk, scrub, at, 1 + random() % 20'000);
      if (done.status == Status::kLogCorrupt) found.push_back(done.damage.segment);
      EXPECT(done.next > at);
      bytes += done.bytes;
      at = done.next;
    }
    EXPECT(found == segments);
    if (holes.empty()) EXPECT(bytes > 50'000);
    found_damage += found.empty() ? 0 : 1;
  }
  EXPECT(found_damage > 30);
}

TEST(checkpoints_come_back_with_the_log_and_tell_histories_apart) {
  SimulatedFileSystem disk;
  std::vector<Checkpoint> given;
  {
    LogRig rig(disk);
    (void)rig.open();
    (void)rig.feed->pool(1);
    for (uint64_t i = 0; i < 3 * kHistoryCheckpointVersions + 5; i++) {
      (void)rig.feed->put("/k", "v");
      if (i % 50 == 0) rig.turn();
    }
    rig.turn();
    given = rig.store->checkpoints();
  }
  EXPECT_EQ(given.size(), size_t{3});
  EXPECT_EQ(given[1].version, 2 * kHistoryCheckpointVersions);
  LogRig again(disk);
  EXPECT(is_ok(again.open().status));
  const std::vector<Checkpoint> back = again.store->checkpoints();
  EXPECT_EQ(back.size(), given.size());
  for (size_t i = 0; i < back.size(); i++) EXPECT_EQ(back[i].digest, given[i].digest);
  Store other(rig_store());
  Feeder feed(other);
  (void)feed.pool(1);
  for (uint64_t i = 0; i < 2 * kHistoryCheckpointVersions; i++)
    (void)feed.put("/k", i == 1500 ? "w" : "v");
  EXPECT_EQ(other.checkpoints()[0].digest, given[0].digest);
  EXPECT(other.checkpoints()[1].digest != given[1].digest);
}
