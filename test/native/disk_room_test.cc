// Long values for a small disk.
#include <string>

#include "native/io/simulated_file.h"
#include "test/native/support/lone_agent.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr int kPasses = 1000;

struct Rig {
  Rig() : log(disk, {.data = "/data", .cluster = 7, .disk = 5, .threads = false}, nullptr) {
    EXPECT(is_ok(log.start()));
    lone = std::make_unique<LoneAgent>(StoreConfig{.shard = 1, .persistent = true}, &log);
  }

  // Leaves so much beyond the minimum, and lets it be seen.
  void leave(uint64_t bytes) {
    disk.set_faults({.space = disk.used() + kDiskFreeMin + bytes});
    lone->beat();
  }
  Status put(const std::string& value) {
    return lone->ended(lone->put(value, Ack::kPersisted), kPasses).value_or(Status::kTimeout);
  }

  SimulatedFileSystem disk;
  LogWriter log;
  std::unique_ptr<LoneAgent> lone;
};

}  // namespace

TEST(a_long_value_is_refused_where_a_disk_has_no_room_for_it) {
  Rig rig;
  const std::string value(kWholeRecordMax, 'v');
  rig.leave(60 * kMiB);
  EXPECT_EQ(rig.put(value), Status::kDiskFull);
  EXPECT_EQ(rig.put("short"), Status::kOk);
  // The minimum is there for what is no longer than that.
  EXPECT_EQ(rig.put(std::string(62 * kMiB, 'v')), Status::kOk);
  rig.leave(100 * kMiB);
  EXPECT_EQ(rig.put(value), Status::kOk);
  rig.lone->beat();
  EXPECT_EQ(rig.put(value), Status::kDiskFull);
}

TEST(of_two_long_values_at_once_a_disk_has_to_have_room_for_both) {
  Rig rig;
  const std::string value(kWholeRecordMax, 'v');
  rig.leave(100 * kMiB);
  const Token first = rig.lone->put(value, Ack::kDelivered);
  const Token second = rig.lone->put(value, Ack::kDelivered);
  EXPECT(rig.lone->ended(second, kPasses) == Status::kDiskFull);
  EXPECT(rig.lone->ended(first, kPasses) == Status::kOk);
  // Delivered, but not on disk.
  EXPECT(rig.lone->ended(rig.lone->put(value), kPasses) == Status::kDiskFull);
  rig.leave(200 * kMiB);
  const Token third = rig.lone->put(value, Ack::kDelivered);
  const Token fourth = rig.lone->put(value, Ack::kPersisted);
  EXPECT(rig.lone->ended(third, kPasses) == Status::kOk);
  EXPECT(rig.lone->ended(fourth, kPasses) == Status::kOk);
}
