// A log that is restored by runs gives the store that its records give one by one.
#include <algorithm>
#include <random>
#include <vector>

#include "test/native/support/log_rig.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::test;

namespace {

// A record of a log, and its place.
struct Logged {
  RecordView record;
  Store::DurableAt at;
};

// All kinds of records, of keys of all lengths, in some epochs. Many keys come twice in a run.
void write_log(SimulatedFileSystem& disk, std::mt19937_64& random) {
  LogRig rig(disk);
  (void)rig.open();
  (void)rig.feed->pool(1);
  for (uint64_t request = 1; request <= 4'000; request++) {
    const std::string key(1 + random() % 40, static_cast<char>('a' + random() % 8));
    const std::string value(random() % 300, 'v');
    Change change = put_of(1, key, value);
    const uint64_t draw = random() % 40;
    if (draw < 3) {
      change.kind = RecordKind::kRemove;
      change.value = {};
    } else if (draw == 3) {
      change.kind = RecordKind::kTrigger;
    } else if (draw == 4) {
      change.session = {.session = 9, .request = request, .lowest_unanswered = request};
    } else if (draw == 5) {
      change.session = {.session = 9, .request = request, .lowest_unanswered = request};
      change.condition.version = 1;
    } else if (draw == 6) {
      (void)rig.feed->pool(1, static_cast<uint32_t>(request));
    } else if (draw == 7) {
      rig.feed->epoch++;
    }
    (void)rig.feed->apply(change);
    if (random() % 60 == 0) rig.turn();
  }
  rig.turn();
}

using Files = std::vector<std::vector<std::byte>>;

Files read_files(SimulatedFileSystem& disk) {
  std::vector<std::string> names;
  EXPECT(is_ok(disk.list("/data/shard-3", names)));
  Files files;
  while (files.size() < names.size()) files.push_back(bytes_of_segment(disk, files.size()));
  return files;
}

std::vector<Logged> records_of(const Files& files) {
  std::vector<Logged> records;
  for (uint64_t segment = 0; segment < files.size(); segment++) {
    const std::vector<std::byte>& bytes = files[segment];
    for (uint64_t offset = kDiskHeaderSize; offset < bytes.size();) {
      const RecordView record(bytes.data() + offset);
      if (record.header().length == 0) break;
      records.push_back({record, {segment, offset}});
      offset += record.size();
    }
  }
  return records;
}

// Gives a log to a store as a start does: its last segments are read to where they stay.
class Restoring {
 public:
  Restoring(Store& store, const Files& files, uint64_t stays_from)
      : store_(store), files_(files), stays_from_(stays_from) {}

  // One by one. How many were taken, until one could not be.
  size_t take_each(const std::vector<Logged>& records, Status& status) {
    for (size_t i = 0; i < records.size(); i++) {
      status = store_.restore(here(records[i]), records[i].at);
      if (!is_ok(status)) return i;
    }
    return records.size();
  }

  size_t take_runs(const std::vector<Logged>& records, Status& status, std::mt19937_64& random) {
    for (size_t first = 0; first < records.size();) {
      std::vector<RecordView> run;
      const size_t length = 1 + random() % 100;
      for (size_t i = first; i < records.size() && run.size() < length; i++) {
        if (records[i].at.segment != records[first].at.segment) break;
        run.push_back(here(records[i]));
      }
      size_t taken = 0;
      status = store_.restore_run(run, records[first].at, taken);
      first += taken;
      if (!is_ok(status)) return first;
      EXPECT_EQ(taken, run.size());
    }
    return records.size();
  }

 private:
  RecordView here(const Logged& logged) {
    if (segment_ != logged.at.segment) {
      segment_ = logged.at.segment;
      const std::vector<std::byte>& file = files_[logged.at.segment];
      room_ = store_.restore_room(logged.at.segment, file.size(), segment_ >= stays_from_);
      if (!room_.empty()) std::ranges::copy(file, room_.begin());
    }
    return room_.empty() ? logged.record : RecordView(room_.data() + logged.at.offset);
  }

  Store& store_;
  const Files& files_;
  const uint64_t stays_from_;
  uint64_t segment_ = UINT64_MAX;
  MutableBytes room_;
};

void expect_alike(const Found& a, const Found& b) {
  EXPECT(a.status == b.status && a.removed == b.removed);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.previous_version_of_key, b.previous_version_of_key);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.cold_segment, b.cold_segment);
  EXPECT_EQ(a.cold_offset, b.cold_offset);
  EXPECT_EQ(a.cold_length, b.cold_length);
}

void expect_alike(const Store& a, const Store& b, const std::vector<Logged>& records) {
  EXPECT_EQ(a.digest(), b.digest());
  EXPECT(a.last_position() == b.last_position());
  EXPECT_EQ(a.newest_version(), b.newest_version());
  EXPECT_EQ(a.newest_time(), b.newest_time());
  EXPECT_EQ(a.synced_end().segment, b.synced_end().segment);
  EXPECT_EQ(a.synced_end().offset, b.synced_end().offset);
  EXPECT_EQ(a.stats().keys, b.stats().keys);
  EXPECT_EQ(a.stats().versions, b.stats().versions);
  EXPECT_EQ(a.stats().live_bytes, b.stats().live_bytes);
  EXPECT_EQ(a.stats().sessions, b.stats().sessions);
  EXPECT_EQ(a.checkpoints().size(), b.checkpoints().size());
  for (size_t i = 0; i < a.checkpoints().size() && i < b.checkpoints().size(); i++) {
    EXPECT(a.checkpoints()[i].position == b.checkpoints()[i].position);
    EXPECT_EQ(a.checkpoints()[i].version, b.checkpoints()[i].version);
    EXPECT_EQ(a.checkpoints()[i].digest, b.checkpoints()[i].digest);
  }
  for (Version version = 1; version <= b.newest_version(); version++)
    expect_alike(a.get_version(version), b.get_version(version));
  for (const Logged& logged : records) {
    const RecordView& record = logged.record;
    if (!takes_version(record.header().kind)) continue;
    const ReadPoint then{ReadPoint::Kind::kAtVersion, record.header().version};
    expect_alike(a.get(record.key(), then), b.get(record.key(), then));
    expect_alike(a.get(record.key(), {}), b.get(record.key(), {}));
  }
}

// What both put behind the log: a mark that covers its last batch, then a change.
void expect_same_end(Store& a, Store& b) {
  LogBatch mark;
  EXPECT(a.close_idle(mark) && b.close_idle(mark));
  LogBatch of_a;
  LogBatch of_b;
  for (const auto& [store, batch] : {std::pair(&a, &of_a), std::pair(&b, &of_b)}) {
    Feeder feed(*store);
    feed.epoch = store->last_position().epoch + 1;
    EXPECT(is_ok(feed.put("/behind", "x").status));
    EXPECT(store->close_batch(0, *batch));
  }
  EXPECT_EQ(of_a.segment, of_b.segment);
  EXPECT_EQ(of_a.offset, of_b.offset);
  EXPECT(std::ranges::equal(of_a.bytes, of_b.bytes));
}

}  // namespace

TEST(runs_of_any_length_give_what_their_records_give) {
  std::mt19937_64 random(seed(1));
  SimulatedFileSystem disk;
  write_log(disk, random);
  const Files files = read_files(disk);
  const auto records = records_of(files);
  EXPECT(files.size() > 10 && records.size() > 4'000);
  for (const uint64_t stays_from : {uint64_t{0}, files.size() / 2, files.size() - 1}) {
    Store one_by_one(rig_store());
    Store by_runs(rig_store());
    Status status = Status::kOk;
    const size_t count = records.size();
    EXPECT_EQ(Restoring(one_by_one, files, stays_from).take_each(records, status), count);
    EXPECT(is_ok(status));
    EXPECT_EQ(Restoring(by_runs, files, stays_from).take_runs(records, status, random), count);
    EXPECT(is_ok(status));
    expect_alike(by_runs, one_by_one, records);
    expect_same_end(by_runs, one_by_one);
  }
}

TEST(a_run_ends_at_the_record_that_does_not_follow) {
  std::mt19937_64 random(seed(2));
  SimulatedFileSystem disk;
  write_log(disk, random);
  const Files files = read_files(disk);
  const auto whole = records_of(files);
  int rounds = 0;
  while (rounds < 50) {
    const size_t at = random() % (whole.size() - 1);
    if (!takes_version(whole[at].record.header().kind) ||
        !takes_version(whole[at + 1].record.header().kind) ||
        whole[at].at.segment != whole[at + 1].at.segment)
      continue;
    // One is not there, or comes twice.
    std::vector<Logged> records(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(at) + 2);
    const bool is_missing = rounds++ % 2 == 0;
    (is_missing ? records[at] : records[at + 1]).record = whole[is_missing ? at + 1 : at].record;
    Store one_by_one(rig_store());
    Store by_runs(rig_store());
    Status expected = Status::kOk;
    Status status = Status::kOk;
    const size_t count = is_missing ? at : at + 1;
    EXPECT_EQ(Restoring(one_by_one, files, UINT64_MAX).take_each(records, expected), count);
    EXPECT_EQ(Restoring(by_runs, files, UINT64_MAX).take_runs(records, status, random), count);
    EXPECT(!is_ok(expected) && status == expected);
    records.erase(records.begin() + static_cast<ptrdiff_t>(count), records.end());
    expect_alike(by_runs, one_by_one, records);
  }
}
