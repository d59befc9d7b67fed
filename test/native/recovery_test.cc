// What a crash may take and what it may not, and how damage is told from a torn tail.
#include <algorithm>
#include <map>
#include <random>

#include "native/agent/log_reader.h"
#include "native/agent/log_recovery.h"
#include "native/core/log_format.h"
#include "test/native/support/log_rig.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

struct Given {
  std::string key;
  std::string value;
};

// Writes until the power fails after `operations`, crashes, recovers, and counts acknowledged
// records that are gone. Everything that is left must be what was written.
struct Outcome {
  int lost = 0;
  int wrong = 0;
  bool finished = false;  // the power did not fail before the end
  Status status = Status::kOk;
};

Outcome crash_once(uint64_t operations, uint64_t seed, bool ignore_syncs) {
  std::mt19937_64 random(seed);
  SimulatedFileSystem disk;
  LogRig rig(disk);
  disk.set_faults({.ignore_syncs = ignore_syncs, .stop_after = operations});
  (void)rig.open();
  std::map<Version, Given> written;
  Version acknowledged = 0;
  (void)rig.feed->pool(1);
  for (int i = 0; i < 60 && !rig.failed; i++) {
    for (uint64_t n = random() % 12; n > 0; n--) {
      const Given given{"/k" + std::to_string(random() % 50), std::string(random() % 900, 'v')};
      const Applied applied = rig.feed->put(given.key, given.value);
      written[applied.version] = given;
    }
    rig.turn(random() % 4 == 0);
    if (!rig.failed) acknowledged = rig.store->newest_version();
  }
  Outcome outcome;
  outcome.finished = !rig.failed;
  disk.crash(seed * 31 + operations);

  LogRig again(disk);
  const RecoveryResult result = again.open();
  outcome.status = result.status;
  const Version newest = again.store->newest_version();
  if (newest < acknowledged) outcome.lost = static_cast<int>(acknowledged - newest);
  for (Version version = 1; version <= newest; version++) {
    const Found found = again.store->get_version(version);
    const Given& given = written[version];
    const bool right = found.status == Status::kOk && RecordView(found.record).key() == given.key &&
                       text_of(RecordView(found.record).value()) == given.value;
    if (!right) outcome.wrong++;
  }
  // It goes on, and what it then acknowledges holds too.
  if (is_ok(result.status)) {
    if (random() % 2 == 0) again.turn(true);
    (void)again.feed->pool(1);
    const Version more = 1 + random() % 4;
    for (Version i = 0; i < more; i++) {
      (void)again.feed->put("/again", "and again");
      again.turn(random() % 2 == 0);
    }
    disk.crash(seed + 1);
    LogRig third(disk);
    const RecoveryResult last = third.open();
    if (!is_ok(last.status) || third.store->newest_version() != newest + more) outcome.wrong++;
  }
  return outcome;
}

// A disk with a closed log of some segments.
void fill(SimulatedFileSystem& disk, int count, bool idle) {
  LogRig rig(disk);
  (void)rig.open();
  (void)rig.feed->pool(1);
  for (int i = 0; i < count; i++) {
    (void)rig.feed->put("/k" + std::to_string(i), std::string(200, 'v'));
    if (i % 10 == 9) rig.turn();
  }
  rig.turn();
  if (idle) rig.turn(true);
}

void replace_content(SimulatedFileSystem& disk, uint64_t segment, Bytes bytes) {
  std::unique_ptr<File> file;
  EXPECT(is_ok(disk.open(path_of_segment(segment), FileSystem::Mode::kCreate, file)));
  EXPECT(is_ok(file->truncate(0)));
  EXPECT(is_ok(file->write_at(0, bytes)));
  EXPECT(is_ok(file->sync_data()));
}

}  // namespace

TEST(nothing_acknowledged_is_lost_at_any_write_boundary) {
  uint64_t operations = 1;
  int crashes = 0;
  for (const uint64_t base = seed(1); crashes < 1200; operations++, crashes++) {
    const Outcome outcome = crash_once(operations, base + operations % 5, false);
    if (outcome.lost != 0 || outcome.wrong != 0 || !is_ok(outcome.status))
      fail(__FILE__, __LINE__,
           "operations " + std::to_string(operations) + " seed " +
               std::to_string(base + operations % 5) + " lost " + std::to_string(outcome.lost) +
               " wrong " + std::to_string(outcome.wrong) + " " + status_name(outcome.status));
    if (outcome.finished) break;
  }
  EXPECT(crashes > 100);
}

TEST(canary_a_disk_that_ignores_syncs_is_found_out) {
  int lost = 0;
  for (uint64_t operations = 20; operations < 120; operations += 7)
    lost += crash_once(operations, seed(2) + operations, true).lost;
  EXPECT(lost > 0);
}

TEST(a_clean_log_comes_back_whole_and_goes_on_in_its_last_segment) {
  SimulatedFileSystem disk;
  fill(disk, 400, true);
  LogRig rig(disk);
  const RecoveryResult result = rig.open();
  EXPECT(is_ok(result.status));
  EXPECT_EQ(result.records, uint64_t{401});
  EXPECT_EQ(rig.store->newest_version(), Version{400});
  EXPECT(result.segment >= 2);
  (void)rig.feed->put("/new", "x");
  LogBatch batch;
  EXPECT(rig.store->close_batch(rig.feed->sequence, batch));
  EXPECT_EQ(batch.segment, result.segment);
  EXPECT_EQ(batch.offset, result.offset);
}

TEST(versions_of_a_key_that_lie_side_by_side_follow_each_other_again) {
  constexpr Version kVersions = 100;
  SimulatedFileSystem disk;
  LogRig rig(disk);
  (void)rig.open();
  (void)rig.feed->pool(1);
  for (Version version = 1; version <= kVersions; version++)
    (void)rig.feed->put("/k" + std::to_string(version % 7), "v");
  rig.turn();
  LogRig again(disk);
  EXPECT(is_ok(again.open().status));
  EXPECT_EQ(again.store->stats().keys, uint64_t{7});
  EXPECT_EQ(again.store->newest_version(), kVersions);
  for (Version version = 1; version <= kVersions; version++) {
    const Version before = version > 7 ? version - 7 : 0;
    EXPECT_EQ(again.store->get_version(version).previous_version_of_key, before);
    const ReadPoint point{ReadPoint::Kind::kAtVersion, version};
    EXPECT_EQ(again.store->get("/k" + std::to_string(version % 7), point).version, version);
  }
}

TEST(a_flipped_bit_below_a_mark_is_named_and_not_cut) {
  for (const uint64_t offset :
       {uint64_t{16}, uint64_t{4096 + 8}, uint64_t{9000}, uint64_t{20'000}}) {
    SimulatedFileSystem disk;
    fill(disk, 400, true);
    EXPECT(disk.flip_bit(path_of_segment(1), offset, 3));
    LogRig rig(disk);
    const RecoveryResult result = rig.open();
    EXPECT_EQ(status_name(result.status), status_name(Status::kLogCorrupt));
    EXPECT_EQ(result.segment, uint64_t{1});
    EXPECT(result.offset <= offset && offset < result.offset + 512);
    EXPECT_EQ(result.cut_bytes, uint64_t{0});
    // Put right again it opens: nothing was touched.
    EXPECT(disk.flip_bit(path_of_segment(1), offset, 3));
    LogRig again(disk);
    EXPECT(is_ok(again.open().status));
    EXPECT_EQ(again.store->newest_version(), Version{400});
  }
}

TEST(a_flipped_bit_in_a_tail_that_no_mark_covers_is_cut) {
  SimulatedFileSystem disk;
  fill(disk, 395, false);
  LogRig clean(disk);
  const RecoveryResult whole = clean.open();
  EXPECT(is_ok(whole.status));
  // The last batch: its five records and their mark.
  EXPECT(disk.flip_bit(path_of_segment(whole.segment), whole.offset - 64 - 2 * 320 + 100, 0));
  LogRig rig(disk);
  const RecoveryResult result = rig.open();
  EXPECT(is_ok(result.status));
  EXPECT_EQ(rig.store->newest_version(), Version{393});
  EXPECT(result.cut_bytes >= 2 * 320);
}

TEST(an_idle_log_covers_its_last_batch) {
  SimulatedFileSystem disk;
  fill(disk, 395, true);
  LogRig clean(disk);
  const RecoveryResult whole = clean.open();
  EXPECT(disk.flip_bit(path_of_segment(whole.segment), whole.offset - 64 - 64 - 2 * 320 + 100, 0));
  LogRig rig(disk);
  EXPECT_EQ(status_name(rig.open().status), status_name(Status::kLogCorrupt));
}

TEST(a_missing_segment_is_damage) {
  SimulatedFileSystem disk;
  fill(disk, 400, true);
  EXPECT(is_ok(disk.remove(path_of_segment(1))));
  LogRig rig(disk);
  const RecoveryResult result = rig.open();
  EXPECT_EQ(status_name(result.status), status_name(Status::kLogCorrupt));
  EXPECT_EQ(result.segment, uint64_t{1});
}

// The power fails while a segment is sealed: its index is on disk, the mark after it is not. What
// is written behind such an index would stand behind the end of a sealed segment.
TEST(an_index_without_its_mark_is_a_torn_tail) {
  SimulatedFileSystem disk;
  {
    LogRig rig(disk);
    (void)rig.open();
    (void)rig.feed->pool(1);
    (void)rig.feed->put("/a", "v");
    rig.turn();
    (void)rig.feed->put("/large", std::string(kRigSegment - 4000, 'v'));  // begins the next segment
    rig.turn();
  }
  EXPECT(is_ok(disk.remove(path_of_segment(1))));
  const std::vector<std::byte> sealed = bytes_of_segment(disk, 0);
  replace_content(disk, 0, Bytes(sealed).first(sealed.size() - sizeof(RecordHeader)));
  for (Version newest = 1; newest < 8; newest++) {
    LogRig rig(disk);
    EXPECT_EQ(status_name(rig.open().status), status_name(Status::kOk));
    EXPECT_EQ(rig.store->newest_version(), newest);
    rig.turn(true);
    (void)rig.feed->put("/a", "v");
    rig.turn(newest % 2 == 0);
  }
}

TEST(a_sound_segment_of_another_history_is_damage_and_not_a_torn_tail) {
  SimulatedFileSystem disk;
  fill(disk, 400, true);
  SimulatedFileSystem other;
  fill(other, 1000, true);
  LogRig clean(disk);
  const uint64_t last = clean.open().segment;
  {
    LogRig rig(other);  // its segments begin elsewhere from here on
    (void)rig.open(LogPosition{1, 150});
    for (int i = 0; i < 400; i++) {
      (void)rig.feed->put("/other", std::string(700, 'v'));
      rig.turn();
    }
  }
  // Its first record only, so that no mark in it says that anything was synced.
  const std::vector<std::byte> foreign = bytes_of_segment(other, last);
  const RecordView first(foreign.data() + kDiskHeaderSize);
  replace_content(disk, last, Bytes(foreign).first(kDiskHeaderSize + first.size()));
  LogRig rig(disk);
  const RecoveryResult result = rig.open();
  EXPECT_EQ(status_name(result.status), status_name(Status::kLogCorrupt));
  EXPECT_EQ(result.segment, last);
  EXPECT_EQ(result.cut_bytes, uint64_t{0});
}

TEST(a_file_larger_than_any_segment_is_damage) {
  SimulatedFileSystem disk;
  fill(disk, 400, true);
  std::unique_ptr<File> file;
  EXPECT(is_ok(disk.open(path_of_segment(1), FileSystem::Mode::kReadWrite, file)));
  EXPECT(is_ok(file->truncate(kSegmentFileMax + kRecordAlignment)));
  LogRig rig(disk);
  const RecoveryResult result = rig.open();
  EXPECT_EQ(status_name(result.status), status_name(Status::kLogCorrupt));
  EXPECT_EQ(result.segment, uint64_t{1});
}

// Anything may happen to the bytes of a closed log. What is read is what was written; what a mark
// covers is there or reported, and then nothing was touched.
TEST(any_damage_to_a_file_is_reported_or_cut_and_never_read_as_data) {
  std::mt19937_64 random(seed(70));
  size_t reported = 0;
  size_t cut = 0;
  for (int round = 0; round < 400; round++) {
    SimulatedFileSystem disk;
    const Version count = 150 + random() % 250;
    fill(disk, static_cast<int>(count), true);
    LogRig clean(disk);
    const uint64_t last = clean.open().segment;
    EXPECT_EQ(clean.store->newest_version(), count);
    const uint64_t segment = random() % (last + 1);
    std::vector<std::byte> bytes = bytes_of_segment(disk, segment);
    const size_t at = random() % bytes.size();
    const size_t size = 1 + random() % std::min<size_t>(bytes.size() - at, 2000);
    const auto from = bytes.begin() + static_cast<ptrdiff_t>(at);
    const uint64_t what = random() % 7;
    if (what == 0) bytes.resize(at);
    if (what == 1) std::fill_n(from, size, std::byte{0});
    if (what == 2) std::fill_n(from, size, static_cast<std::byte>(random()));
    if (what == 3) *from ^= static_cast<std::byte>(1 << random() % 8);
    if (what == 4) {  // what lies elsewhere, at another place
      const std::vector<std::byte> other = bytes_of_segment(disk, random() % (last + 1));
      const size_t begin = other.size() < size ? 0 : random() % (other.size() - size + 1);
      const size_t aligned = begin / 64 * 64;
      const size_t to = at / 64 * 64;
      const size_t length = std::min({size, other.size() - aligned, bytes.size() - to});
      std::copy_n(other.begin() + static_cast<ptrdiff_t>(aligned), length,
                  bytes.begin() + static_cast<ptrdiff_t>(to));
    }
    if (what == 5) bytes.insert(bytes.end(), size, static_cast<std::byte>(random()));
    if (what == 6) bytes.clear();
    replace_content(disk, segment, bytes);

    LogRig rig(disk);
    const RecoveryResult result = rig.open();
    const Version newest = rig.store->newest_version();
    EXPECT(newest <= count);
    for (Version version = 1; version <= newest; version++) {
      const Found mine = rig.store->get_version(version);
      const Found theirs = clean.store->get_version(version);
      EXPECT_EQ(RecordView(mine.record).header().header_crc,
                RecordView(theirs.record).header().header_crc);
    }
    if (!is_ok(result.status)) {
      reported++;
      EXPECT_EQ(status_name(result.status), status_name(Status::kLogCorrupt));
      EXPECT_EQ(result.cut_bytes, uint64_t{0});
      EXPECT(bytes_of_segment(disk, segment) == bytes);
      continue;
    }
    cut += newest < count ? 1 : 0;
    // With the last segment's own marks gone nobody can tell how far it was synced.
    EXPECT(newest == count || segment == last);
    // It opens again as it was left, and goes on.
    (void)rig.feed->pool(1);
    (void)rig.feed->put("/again", "v");
    rig.turn(true);
    LogRig again(disk);
    EXPECT(is_ok(again.open().status));
    EXPECT_EQ(again.store->digest(), rig.store->digest());
    EXPECT_EQ(again.store->newest_version(), newest + 1);
  }
  EXPECT(reported > 100 && cut > 0);
}

TEST(a_log_can_be_cut_after_a_position_and_stays_cut) {
  SimulatedFileSystem disk;
  fill(disk, 400, true);
  LogRig rig(disk);
  const RecoveryResult cut = rig.open(LogPosition{1, 150});
  EXPECT(is_ok(cut.status));
  EXPECT_EQ(rig.store->newest_version(), Version{150});
  EXPECT(cut.cut_bytes > 0);
  LogRig again(disk);
  EXPECT(is_ok(again.open().status));
  EXPECT_EQ(again.store->newest_version(), Version{150});
  EXPECT_EQ(again.store->digest(), rig.store->digest());
}

// The room of a large record that was refused is used again, with what lies in it.
TEST(a_large_record_behind_a_larger_one_that_was_refused_is_sound) {
  const StoreConfig config{.shard = 3, .persistent = true};
  SimulatedFileSystem disk;
  LogRig rig(disk);
  (void)rig.open({}, config);
  (void)rig.feed->pool(1);
  const auto give = [&](size_t size, Version expected) {
    const std::string value(size, 'v');
    Change change = put_of(1, "/large", value);
    change.condition.version = expected;
    const auto bytes = encode(change, config.shard, rig.feed->epoch);
    const size_t length = RecordView(bytes.data()).header().length;
    const MutableBytes room = rig.store->reserve_large(0, length);
    std::copy_n(bytes.begin(), length, room.begin());
    return rig.store->apply_large(0, rig.feed->epoch, rig.feed->sequence++).status;
  };
  EXPECT(give(size_t{5} << 20, 77) == Status::kConditionFailed);
  EXPECT(is_ok(give((size_t{3} << 20) + 1, 0)));
  rig.turn();
  rig.turn(true);
  LogRig again(disk);
  const RecoveryResult result = again.open({}, config);
  EXPECT_EQ(status_name(result.status), status_name(Status::kOk));
  EXPECT_EQ(again.store->digest(), rig.store->digest());
}

TEST(other_clusters_and_newer_formats_are_refused) {
  SimulatedFileSystem disk;
  fill(disk, 30, true);
  Store other(rig_store());
  EXPECT(recover_log(disk, {"/data", kCluster + 1, kDisk, {}}, other).status ==
         Status::kWrongCluster);
  EXPECT(disk.flip_bit(path_of_segment(0), 8, 4));  // format 1 -> 17
  Store damaged(rig_store());
  EXPECT(recover_log(disk, {"/data", kCluster, kDisk, {}}, damaged).status == Status::kLogCorrupt);
  EXPECT(disk.flip_bit(path_of_segment(0), 12, 0));  // and another checksum
  Store newer(rig_store());
  EXPECT(recover_log(disk, {"/data", kCluster, kDisk, {}}, newer).status == Status::kNewerFormat);
}

TEST(a_data_folder_is_for_one_process_of_one_cluster) {
  SimulatedFileSystem disk;
  std::unique_ptr<DataFolder> folder;
  EXPECT(is_ok(DataFolder::open(disk, "/data", kCluster, 9, folder)));
  EXPECT_EQ(folder->disk(), uint64_t{9});
  std::unique_ptr<DataFolder> second;
  EXPECT(DataFolder::open(disk, "/data", kCluster, 10, second) == Status::kDataInUse);
  folder.reset();
  EXPECT(DataFolder::open(disk, "/data", kCluster + 1, 10, second) == Status::kWrongCluster);
  EXPECT(is_ok(DataFolder::open(disk, "/data", kCluster, 10, second)));
  EXPECT_EQ(second->disk(), uint64_t{9});
}

TEST(cold_records_are_read_from_their_files) {
  SimulatedFileSystem disk;
  fill(disk, 400, true);
  StoreConfig config = rig_store();
  config.memory_max = 2 * kRigSegment;
  Store store(config);
  EXPECT(is_ok(recover_log(disk, {"/data", kCluster, kDisk, {}}, store).status));
  const Found cold = store.get("/k3", {});
  EXPECT(cold.status == Status::kCold);
  LogReader reader(disk, "/data", 3);
  std::vector<std::byte> bytes;
  EXPECT(is_ok(reader.read(cold.cold_segment, cold.cold_offset, cold.cold_length, bytes)));
  EXPECT(RecordView(bytes.data()).key() == "/k3");
  EXPECT_EQ(RecordView(bytes.data()).header().version, cold.version);

  // The whole log through both: cold from disk, the rest from memory.
  Store copy(rig_store());
  std::vector<std::byte> out(3000);
  LogPosition after;
  for (;;) {
    size_t used = 0;
    LogPosition last;
    Status status = store.read_log(after, out, used, last);
    if (status == Status::kCold) status = reader.read_log(after, out, used, last);
    EXPECT(is_ok(status));
    if (used == 0 || !is_ok(status)) break;
    for (size_t at = 0; at < used; at += RecordView(out.data() + at).size())
      EXPECT(is_ok(copy.restore(RecordView(out.data() + at), std::nullopt)));
    after = last;
  }
  EXPECT_EQ(copy.digest(), store.digest());

  EXPECT(disk.flip_bit(path_of_segment(cold.cold_segment), cold.cold_offset + 70, 1));
  EXPECT(reader.read(cold.cold_segment, cold.cold_offset, cold.cold_length, bytes) ==
         Status::kLogCorrupt);
}

TEST(zeros_in_the_middle_of_a_cold_segment_are_damage_and_not_its_end) {
  SimulatedFileSystem disk;
  fill(disk, 400, true);
  StoreConfig config = rig_store();
  config.memory_max = 2 * kRigSegment;
  Store store(config);
  EXPECT(is_ok(recover_log(disk, {"/data", kCluster, kDisk, {}}, store).status));
  const Found cold = store.get("/k30", {});
  EXPECT(cold.status == Status::kCold);
  std::vector<std::byte> bytes = bytes_of_segment(disk, cold.cold_segment);
  std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(cold.cold_offset), 512, std::byte{0});
  replace_content(disk, cold.cold_segment, bytes);
  for (const size_t room : {size_t{1000}, size_t{20'000}, size_t{1} << 20}) {
    LogReader reader(disk, "/data", 3);
    std::vector<std::byte> out(room);
    LogPosition after;
    Status status = Status::kOk;
    for (size_t used = 1; is_ok(status) && used > 0;)
      status = reader.read_log(LogPosition(after), out, used, after);
    EXPECT_EQ(status_name(status), status_name(Status::kLogCorrupt));
  }
}

TEST(a_cold_read_longer_than_any_record_is_refused_before_memory_is_taken) {
  SimulatedFileSystem disk;
  fill(disk, 10, true);
  LogReader reader(disk, "/data", 3);
  std::vector<std::byte> bytes;
  EXPECT(reader.read(0, kDiskHeaderSize, UINT32_MAX, bytes) == Status::kInvalidArgument);
  EXPECT(bytes.empty());
}
