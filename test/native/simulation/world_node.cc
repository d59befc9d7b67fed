#include "test/native/simulation/world_node.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "native/core/log_format.h"
#include "test/native/simulation/world.h"

namespace freshet::test {
namespace {

constexpr int64_t kMillion = 1'000'000;
constexpr Micros kWorldWall = 1'700'000'000'000'000;
constexpr const char* kDataFolder = "data";
constexpr size_t kRowsAtOnce = 256;
constexpr Nanos kLiesAfter = 1'500'000'000;  // a canary
constexpr Nanos kDueSlack = 1'000;           // over what clocks are rounded by

}  // namespace

// Rates differ by at most 1/1000, one from another; wall clocks by a second.
WorldNode::WorldNode(World& world, NodeId node)
    : world_(world),
      node_(node),
      files_(std::make_shared<SimulatedFileSystem>()),
      boot_offset_(world.random.between(1'000'000'000, 1'000'000'000'000)),
      drift_ppm_(world.random.between(-499, 499)),
      wall_skew_(world.random.between(-500'000, 500'000)) {
  (void)files_->make_folder(kDataFolder);
}

const Membership* WorldNode::membership() const {
  return member_ == nullptr ? nullptr : &member_->agent().views().membership();
}

ShardHost* WorldNode::host(ShardId shard) const {
  return member_ == nullptr ? nullptr : member_->agent().find(shard);
}

Nanos WorldNode::boot_now() {
  const Nanos now = world_.events.now();
  return boot_offset_ + now + now / kMillion * drift_ppm_;
}

Micros WorldNode::wall_now() { return kWorldWall + world_.events.now() / 1000 + wall_skew_; }

void WorldNode::fill_random(MutableBytes out) {
  for (std::byte& byte : out) byte = static_cast<std::byte>(world_.random.next());
}

Status WorldNode::open_transport(const MemberConfig&, uint64_t incarnation,
                                 std::unique_ptr<Transport>& out, uint16_t& port) {
  const auto wake_agent = [this] { wake(world_.random.between(2'000, world_.wakes_within)); };
  auto transport =
      std::make_unique<WorldTransport>(world_.network, MemberId{node_, incarnation}, wake_agent);
  transport_ = transport.get();
  out = std::move(transport);
  port = 1;
  return Status::kOk;
}

Status WorldNode::open(std::shared_ptr<Member>& out) {
  FRESHET_CHECK_VALUES(member_ == nullptr, node_, life_);
  MemberConfig config;
  config.node = node_;
  config.data_folder = kDataFolder;
  config.congested = world_.config.congested;
  const Status status = Member::open(
      config, [this] { turn_later(); }, member_, shared_from_this());
  if (!is_ok(status)) return status;
  out = member_;
  starting = false;
  wake(0);
  if (world_.config.lying_disks) {
    // Once it runs: what it was opened with is there.
    later(kLiesAfter, [this] {
      SimulatedFileSystem::Faults lie;
      lie.ignore_syncs = true;
      files_->set_faults(lie);
    });
  }
  return Status::kOk;
}

void WorldNode::kill(Death death, bool reset) {
  if (member_ != nullptr) {
    transport_->end(reset);
    // Nothing that its end does reaches the disk.
    SimulatedFileSystem::Faults gone;
    gone.stop_after = 0;
    files_->set_faults(gone);
    member_->close();
    member_.reset();
    transport_ = nullptr;
  }
  // What its end asked for is nothing, too.
  life_++;
  starting = false;
  told_step = WorldStep::kIdle;
  paused_ = pass_due_ = turn_due_ = job_due_ = log_due_ = false;
  stalled_until_ = turns_late_until_ = beat_due_ = 0;
  rows_.clear();
  deferred_.clear();
  if (death == Death::kPower) {
    files_->crash(world_.random.next());
  } else {
    files_->end_process();
  }
  world_.tell({LoopEvent::Kind::kEnd, node_, 0, 0});
}

void WorldNode::pause() {
  paused_ = true;
  world_.network.pause(node_);
}

void WorldNode::resume() {
  if (!paused_) return;
  paused_ = false;
  world_.network.resume(node_);
  for (auto& what : std::exchange(deferred_, {}))
    later(world_.random.between(0, 1'000'000), std::move(what));
}

void WorldNode::wipe() {
  files_ = std::make_shared<SimulatedFileSystem>();
  (void)files_->make_folder(kDataFolder);
}

void WorldNode::stall(Nanos time) {
  stalled_until_ = world_.events.now() + time;
  turns_late_until_ = std::max(turns_late_until_, stalled_until_);
}

bool WorldNode::turns_late() const { return world_.events.now() < turns_late_until_; }

void WorldNode::slow_disk(Nanos time) { slow_until_ = world_.events.now() + time; }

void WorldNode::slow_passes(Nanos stop, Nanos period, Nanos time) {
  const Nanos now = world_.events.now();
  stops_ = {stop, period, now, now + time};
}

Nanos WorldNode::stop_left() const {
  const Nanos now = world_.events.now();
  if (now >= stops_.until) return 0;
  return std::max<Nanos>(0, stops_.length - (now - stops_.since) % stops_.period);
}

void WorldNode::fill_disk(uint64_t left) {
  SimulatedFileSystem::Faults faults;
  if (left != UINT64_MAX) faults.space = files_->used() + left;
  files_->set_faults(faults);
}

void WorldNode::fail_disk(bool fails) {
  SimulatedFileSystem::Faults faults;
  if (fails) faults.stop_after = 0;
  files_->set_faults(faults);
}

bool WorldNode::corrupt(ShardId shard, uint64_t draw) {
  const std::string folder = shard_folder(kDataFolder, shard);
  std::vector<std::string> names;
  if (!is_ok(files_->list(folder, names)) || names.empty()) return false;
  const std::string path = folder + "/" + names[draw % names.size()];
  const uint64_t used = files_->written(path);
  return used > 0 && files_->flip_bit(path, (draw >> 8) % used, static_cast<int>(draw >> 4 & 7));
}

void WorldNode::later(Nanos delay, std::function<void()> what) {
  world_.events.after(delay, [this, life = life_, what = std::move(what)]() mutable {
    if (life != life_) return;
    if (paused_) {
      deferred_.push_back(std::move(what));
    } else {
      what();
    }
  });
}

void WorldNode::wake(Nanos delay) {
  if (pass_due_ || member_ == nullptr) return;
  if (world_.config.forgets_wakes && world_.random.below(20'000) == 0) {
    pass_due_ = true;  // a canary: nobody wakes it any more
    return;
  }
  pass_due_ = true;
  // As later(), in an event that needs no memory of its own.
  world_.events.after(delay, [this, life = life_] {
    if (life != life_) return;
    if (paused_) {
      deferred_.emplace_back([this] { run_passes(); });
    } else {
      run_passes();
    }
  });
}

// An agent that has worked looks again at once, as a rule before anything else happens.
void WorldNode::run_passes() {
  if (const Nanos stands = stop_left(); stands > 0) return later(stands, [this] { run_passes(); });
  pass_due_ = false;
  for (int work = 1; work > 0;) {
    work = member_->step();
    take_rows();
    if (member_->has_log_work() && !log_due_) {
      log_due_ = true;
      later(disk_time(), [this] { run_logs(); });
    }
    world_.on_pass(*this, work > 0);
    if (member_ == nullptr) return;  // a fault met it
    const bool is_late = paused_ || world_.random.chance(20);
    if (work > 0 && is_late) return wake(world_.random.between(2'000, 30'000));
  }
  pass_when_due();
}

// By the node's clock, whose rate is not that of the world: without that a clock that runs fast
// would have it come again and again.
void WorldNode::pass_when_due() {
  const Nanos now = world_.events.now();
  const Nanos due = std::max<Nanos>(member_->due_at() - boot_now(), 0);
  const Nanos at = now + due - due * drift_ppm_ / kMillion + kDueSlack;
  if (beat_due_ > now && beat_due_ <= at + kDueSlack) return;
  beat_due_ = at;
  world_.events.at(at, [this, life = life_] {
    if (life != life_) return;
    if (paused_) {
      deferred_.emplace_back([this] { wake(0); });
    } else {
      wake(0);
    }
  });
}

// Answers of clients do not pass the event loop, as those of the native door do not.
void WorldNode::take_rows() {
  double taken[kRowsAtOnce * kRowWidth];
  for (size_t count = kRowsAtOnce; count == kRowsAtOnce;) {
    count = member_->take_rows(taken, kRowsAtOnce);
    for (size_t i = 0; i < count; i++) {
      Row row;
      std::memcpy(row.data(), taken + i * kRowWidth, sizeof row);
      if (!world_.take_row(*this, row)) rows_.push_back(row);
    }
  }
  if (!rows_.empty()) turn_later();
}

// The program is entered only if there is something for it.

void WorldNode::turn_later() {
  if (turn_due_) return;
  turn_due_ = true;
  turn_after(loop_time());
}

void WorldNode::turn_after(Nanos delay) {
  later(delay, [this] {
    const Nanos stands = stalled_until_ - world_.events.now();
    if (stands > 0) return turn_after(stands);
    turn_due_ = false;
    if (!rows_.empty()) return world_.tell({LoopEvent::Kind::kWake, node_, 0, 0});
    member_->turn_loop();
  });
}

size_t WorldNode::drain(std::span<double> rows) {
  if (member_ == nullptr) return 0;
  const size_t count = std::min(rows.size() / kRowWidth, rows_.size());
  for (size_t i = 0; i < count; i++) {
    std::memcpy(&rows[i * kRowWidth], rows_.front().data(), sizeof(Row));
    rows_.pop_front();
  }
  member_->turn_loop();
  return count;
}

void WorldNode::in_loop(Nanos delay, LoopEvent event) {
  later(delay, [this, event] {
    const Nanos stands = stalled_until_ - world_.events.now();
    if (stands > 0) return in_loop(stands, event);
    world_.tell(event);
  });
}

void WorldNode::after(Nanos delay, uint64_t id) {
  in_loop(delay, {LoopEvent::Kind::kTimer, node_, id, 0});
}

Nanos WorldNode::loop_time() {
  const bool slow = world_.random.chance(world_.config.slow_percent);
  return world_.random.between(1'000, slow ? 40'000'000 : 300'000);
}

Nanos WorldNode::disk_time() {
  const bool slow = world_.random.chance(world_.config.slow_percent);
  const bool slowed = world_.events.now() < slow_until_;
  return world_.random.between(50'000, slowed ? 400'000'000 : slow ? 60'000'000 : 2'000'000);
}

void WorldNode::on_job() {
  if (job_due_) return;
  job_due_ = true;
  later(disk_time(), [this] { run_jobs(); });
}

void WorldNode::run_jobs() {
  job_due_ = false;
  const bool more = member_->run_job();
  if (member_ != nullptr && more) on_job();
}

void WorldNode::run_logs() {
  log_due_ = false;
  (void)member_->write_logs();
  wake(1'000);
}

std::optional<std::vector<std::byte>> WorldNode::content(const std::string& name) {
  std::unique_ptr<File> file;
  if (!is_ok(files_->open(std::string(kDataFolder) + "/" + name, FileSystem::Mode::kRead, file)))
    return std::nullopt;
  uint64_t size = 0;
  std::vector<std::byte> bytes;
  if (!is_ok(file->size(size))) return std::nullopt;
  bytes.resize(size);
  if (!is_ok(file->read_at(0, bytes))) return std::nullopt;
  return bytes;
}

void WorldNode::read_file(uint64_t id) {
  later(disk_time(), [this, id] { in_loop(0, {LoopEvent::Kind::kFile, node_, id, 0}); });
}

void WorldNode::replace_file(const std::string& name, std::vector<std::byte> bytes, uint64_t id) {
  replace_step(0, name, std::make_shared<std::vector<std::byte>>(std::move(bytes)), id);
}

// Each operation takes its time, so that a process can die between any two.
void WorldNode::replace_step(int step, const std::string& name,
                             const std::shared_ptr<std::vector<std::byte>>& bytes, uint64_t id) {
  later(disk_time(), [=, this] {
    const std::string path = std::string(kDataFolder) + "/" + name;
    const std::string beside = path + ".new";
    Status status = Status::kOk;
    if (step == 0) {
      std::unique_ptr<File> file;
      status = files_->open(beside, FileSystem::Mode::kCreate, file);
      if (is_ok(status)) status = file->truncate(0);
      if (is_ok(status)) status = file->write_at(0, *bytes);
      if (is_ok(status)) status = file->sync_data();
    } else if (step == 1) {
      status = files_->rename(beside, path);
    } else {
      status = files_->sync_folder(kDataFolder);
    }
    if (is_ok(status) && step < 2) return replace_step(step + 1, name, bytes, id);
    in_loop(0, {LoopEvent::Kind::kFile, node_, id, static_cast<uint64_t>(status)});
  });
}

}  // namespace freshet::test
