#include "test/native/support/view_process.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace freshet::test {
namespace {

constexpr Nanos kViewTick = 50'000'000;  // a heartbeat
constexpr Micros kViewWall = 1'700'000'000'000'000;
constexpr int64_t kMillion = 1'000'000;

size_t cell_of(uint64_t offset) { return offset / sizeof(uint64_t); }

}  // namespace

// Clocks differ by at most 1/1000 in rate, one from another.
ViewProcess::ViewProcess(ViewWorld& world, MemberId id)
    : world_(world),
      id_(id),
      offset_(world.random.between(1'000'000'000, 1'000'000'000'000)),
      drift_ppm_(world.random.between(-499, 499)),
      membership_(std::make_unique<Membership>(id, world.limits)),
      row_(ViewRow::kSlot) {
  membership_->set_disk(disk());
}

// Another one for each incarnation.
DiskSpace ViewProcess::disk() const {
  return {id_.incarnation, static_cast<DiskRoom>(id_.incarnation % 3)};
}

ViewProcess::~ViewProcess() = default;

Nanos ViewProcess::clock() const {
  const Nanos now = world_.events.now();
  return offset_ + now + now / kMillion * drift_ppm_;
}

void ViewProcess::begin(const View& view) {
  membership_->begin(view, clock());
  installed_ = view.number;
  world_.ledger.check_installed(view, 0, id_.node);
  for (size_t i = 0; i < view.shards.size(); i++) {
    if (!has_seat(view.shards[i].seats(), membership_->seat())) continue;
    Host& mine = host(view.shards[i].shard);
    make_next(view, i);
    mine.replica = std::move(mine.next);
    membership_->attach(*mine.replica);
    world_.ledger.check_begin(view.shards[i].shard, view.shards[i].epoch, 0, id_.node);
  }
}

void ViewProcess::start() {
  world_.network.begin(id_, *this);
  tick();
}

void ViewProcess::kill() {
  alive_ = false;
  membership_.reset();
  hosts_.clear();
  lent_.clear();
  grants_.clear();
  deferred_.clear();
}

void ViewProcess::pause() {
  paused_ = true;
  world_.network.pause(id_.node);
}

void ViewProcess::resume() {
  paused_ = false;
  world_.network.resume(id_.node);
  for (auto& what : std::exchange(deferred_, {}))
    later(world_.random.between(0, 1'000'000), std::move(what));
}

void ViewProcess::stall(Nanos time) { stalled_until_ = world_.events.now() + time; }

bool ViewProcess::accuse(NodeId node) {
  wake(0);
  return is_ok(membership_->accuse(node));
}

void ViewProcess::leave() {
  leaving_ = true;
  membership_->leave();
  wake(0);
}

ViewProcess::Host& ViewProcess::host(ShardId shard) { return hosts_[shard]; }

const ShardReplica* ViewProcess::replica(ShardId shard) const {
  const auto found = hosts_.find(shard);
  return found == hosts_.end() ? nullptr : found->second.replica.get();
}

Store* ViewProcess::store(ShardId shard) {
  const auto found = hosts_.find(shard);
  return found == hosts_.end() ? nullptr : found->second.store.get();
}

bool ViewProcess::puts_at(ShardId shard) const {
  const ShardReplica* mine = replica(shard);
  if (mine == nullptr) return false;
  const ShardConfig& config = mine->config();
  return std::ranges::any_of(config.senders,
                             [&](Rank rank) { return config.members[rank] == id_.node; });
}

void ViewProcess::later(Nanos delay, std::function<void()> what) {
  world_.events.after(delay, [this, what = std::move(what)] {
    if (!alive_) return;
    if (paused_) {
      deferred_.push_back(what);
    } else {
      what();
    }
  });
}

void ViewProcess::wake(Nanos delay) {
  if (step_due_) return;
  step_due_ = true;
  later(delay, [this] { step(); });
}

void ViewProcess::tick() {
  if (world_.events.now() >= stalled_until_) loop_beat_++;
  wake(0);
  consider_proposal();
  for (auto& [shard, mine] : hosts_)
    if (mine.replica != nullptr) (void)mine.replica->show_delivered();
  later(kViewTick - drift_ppm_ * kViewTick / kMillion, [this] { tick(); });
}

// The replicas' passes first: what the row vouches for goes out before it.
void ViewProcess::step() {
  step_due_ = false;
  out_.clear();
  int work = 0;
  const Micros wall = kViewWall + world_.events.now() / 1000 + offset_ % 5000;
  for (auto& [shard, mine] : hosts_)
    if (mine.replica != nullptr) work += mine.replica->step(wall, out_);
  work += membership_->step(clock(), loop_beat_, out_);
  flush();
  for (auto& [shard, mine] : hosts_) sync(shard, mine);
  say();
  take_events();
  if (work > 0) wake(world_.random.between(5'000, 100'000));
  world_.on_stepped(*this);
}

// What goes out of a pass: writes, and answers, which must agree with what was delivered.
void ViewProcess::flush() {
  grant(out_.grants);
  for (const RegionWrite& write : out_.writes) {
    if (write.region.kind == RegionKind::kViewRow) note_row(write);
    world_.network.send(id_.node, write.peer, write.region, write.offset, write.bytes);
  }
  for (auto& [shard, mine] : hosts_) {
    if (mine.store != nullptr)
      world_.ledger.check_history(shard, *mine.store, mine.checked, id_.node);
    if (mine.replica == nullptr || mine.replica->frontiers().stopped.load() == 0) continue;
    const ShardFault& fault = mine.replica->fault();
    world_.ledger.violation("shard " + std::to_string(shard) + " stopped at node " +
                            std::to_string(id_.node) + ": " + fault.what + " of node " +
                            std::to_string(fault.peer));
  }
  for (const RegionRevoke& revoked : out_.revokes) revoke(revoked);
  for (const Completion& completion : out_.completions) complete(completion);
  for (const Token token : out_.released) lent_.erase(token);
  out_.clear();
}

void ViewProcess::revoke(const RegionRevoke& revoked) {
  std::erase_if(grants_, [&](const Grant& grant) {
    return grant.writer == revoked.writer && grant.id == revoked.region;
  });
  ShardReplica* mine = host(revoked.region.shard).replica.get();
  if (mine != nullptr && mine->config().epoch == revoked.region.epoch)
    mine->on_revoked(revoked.writer, revoked.region);
}

void ViewProcess::note_row(const RegionWrite& write) {
  const size_t cell = cell_of(write.offset);
  if (cell < row_.size())
    std::memcpy(&row_[cell], write.bytes.data(),
                std::min(write.bytes.size(), (row_.size() - cell) * sizeof(uint64_t)));
}

void ViewProcess::complete(const Completion& completion) {
  world_.ledger.answered(completion.token);
  const auto put = puts_.find(completion.token);
  if (put != puts_.end()) {
    if (completion.status == Status::kOk) world_.ledger.acknowledged(put->second, completion);
    puts_.erase(put);
    return;
  }
  const auto found = reads_.find(completion.token);
  if (found == reads_.end()) return;
  const Read read = found->second;
  reads_.erase(found);
  if (completion.status != Status::kOk) return;
  const Frontiers& frontiers = hosts_[read.shard].replica->frontiers();
  const Version value =
      read.persisted ? frontiers.persisted_version.load() : frontiers.delivered_version.load();
  // Some readers are slow to look at their lease.
  if (world_.random.chance(70)) return finish_read(read, value);
  later(world_.random.between(0, 300'000'000), [=, this] { finish_read(read, value); });
}

void ViewProcess::finish_read(const Read& read, Version value) {
  const ShardReplica* mine = replica(read.shard);
  if (mine == nullptr || mine->config().epoch != read.epoch || mine->frontiers().wedged) return;
  if (clock() < membership_->lease_until())
    world_.ledger.read(read.shard, read.floor, value, id_.node);
}

Token ViewProcess::put(ShardId shard, size_t value_size, Ack ack) {
  Host& mine = host(shard);
  if (mine.replica == nullptr) return 0;
  const Token token = world_.next_token++;
  const std::string key = std::string("k") + std::to_string(world_.random.below(20));
  std::vector<std::byte>& value = lent_[token];
  value.resize(value_size, std::byte{7});
  PoolRules rules;
  rules.pool = 1;
  rules.history = 0;
  const std::string rules_key = "pool/1";
  Change change;
  change.pool = 1;
  change.key = std::as_bytes(std::span(key));
  change.meta = std::as_bytes(std::span(&token, 1));
  change.value = value;
  if (mine.store->newest_version() == 0 && world_.random.chance(50)) {
    change.kind = RecordKind::kControl;
    change.pool = 0;
    change.key = std::as_bytes(std::span(rules_key));
    change.value = std::as_bytes(std::span(&rules, 1));
  }
  if (ack == Ack::kPersisted && !mine.replica->config().persistent) ack = Ack::kDelivered;
  const Status status = mine.replica->submit(change, ack, token);
  if (status != Status::kOk || value_size <= mine.replica->inline_max() / 2) lent_.erase(token);
  if (status != Status::kOk) return 0;
  world_.ledger.submitted(token);
  puts_[token] = shard;
  wake(world_.random.between(1'000, 20'000));
  return token;
}

void ViewProcess::read(ShardId shard) {
  Host& mine = host(shard);
  if (mine.replica == nullptr) return;
  const Token token = world_.next_token++;
  const bool persisted = mine.replica->config().persistent && world_.random.chance(50);
  reads_[token] = {shard, mine.replica->config().epoch, world_.ledger.shown(shard), persisted};
  world_.ledger.submitted(token);
  mine.replica->wait_current(token, persisted);
  wake(world_.random.between(1'000, 20'000));
}

// Batches reach the disk one after the other.
void ViewProcess::sync(ShardId shard, Host& mine) {
  if (mine.store == nullptr || !mine.store->config().persistent) return;
  const ShardReplica* owner = mine.replica.get();
  LogBatch batch;
  while (mine.store->close_batch(
      owner != nullptr ? owner->frontiers().delivered.load() : mine.store->last_position().sequence,
      batch)) {
    const Nanos most = world_.random.chance(world_.slow_percent) ? 200'000'000 : 5'000'000;
    mine.disk_free =
        std::max(mine.disk_free, world_.events.now()) + world_.random.between(100'000, most);
    mine.unsynced++;
    later(mine.disk_free - world_.events.now(), [=, this, life = mine.life] {
      Host& written = host(shard);
      if (written.life != life) return;
      written.unsynced--;
      written.store->on_batch_synced(batch);
      ShardReplica* now = written.replica.get();
      if (now != nullptr && now->config().epoch == batch.epoch) now->on_synced(batch.last_sequence);
      check_prepared(preparing_);
      wake(1'000);
    });
  }
}

void ViewProcess::grant(const std::vector<GrantedRegion>& regions) {
  for (const GrantedRegion& region : regions)
    grants_.push_back({region.writer, region.id, region.memory});
}

void ViewProcess::revoke(const ShardReplica& replica) {
  const ShardConfig& config = replica.config();
  std::erase_if(grants_, [&](const Grant& grant) {
    return grant.id.kind != RegionKind::kViewRow && grant.id.shard == config.shard &&
           grant.id.epoch == config.epoch;
  });
}

void ViewProcess::on_link_up(const MemberId& peer) {
  if (!opened_[peer.node]) {
    opened_[peer.node] = true;
    const GrantedRegion region = membership_->open_peer(peer.node);
    grants_.push_back({region.writer, region.id, region.memory});
  }
  membership_->on_up(peer, clock());
  wake(world_.random.between(1'000, 50'000));
}

void ViewProcess::on_link_down(NodeId peer) {
  membership_->on_down(peer, clock());
  wake(world_.random.between(1'000, 50'000));
}

void ViewProcess::on_write(NodeId from, const RegionId& region, uint64_t offset, Bytes bytes) {
  for (const Grant& grant : grants_) {
    if (grant.writer != from || grant.id != region) continue;
    std::memcpy(grant.memory.data() + offset, bytes.data(), bytes.size());
  }
  wake(world_.random.between(1'000, 50'000));
}

ViewStep ViewProcess::step_now() const {
  const View& view = membership_->view();
  for (const ViewMember& member : view.members) {
    const auto& other = world_.running[member.id.node - 1];
    if (other != nullptr && other->id_ == member.id && other->installed() < view.number)
      return ViewStep::kCommitted;
  }
  const bool pending = membership_->proposal() != nullptr;
  if (pending && row_[ViewRow::kPrepared] == membership_->vote()) return ViewStep::kPrepared;
  ViewStep step = membership_->suspects() != 0 ? ViewStep::kSuspecting : ViewStep::kIdle;
  if (pending) step = ViewStep::kAcked;
  for (size_t i = 0; i < view.shards.size(); i++) {
    const ShardReplica* mine = replica(view.shards[i].shard);
    if (mine == nullptr) continue;
    ViewStep its = step;
    if (mine->end_phase() == EndPhase::kWedged) {
      const bool trimmed = row_[ViewRow::trim_of(i) + 1] == view.shards[i].epoch;
      its = trimmed ? ViewStep::kTrimmed : ViewStep::kWedged;
    } else if (mine->end_phase() != EndPhase::kRunning) {
      its = ViewStep::kDelivering;
    }
    step = std::max(step, its);
  }
  return step;
}

// Is it at rest in this view, with all of its replicas?
bool ViewProcess::settled(const View& view) const {
  if (membership_->view() != view || membership_->proposal() != nullptr) return false;
  if (membership_->suspects() != 0 || !events_.empty()) return false;
  for (const ViewShard& shard : view.shards) {
    const bool member = has_seat(shard.seats(), membership_->seat());
    const ShardReplica* mine = replica(shard.shard);
    if (member != (mine != nullptr)) return false;
    if (member && (mine->config().epoch != shard.epoch || mine->frontiers().wedged)) return false;
  }
  return true;
}

// Where it stands, when that has changed.
void ViewProcess::say() {
  if (!world_.trace || describe() == told_) return;
  told_ = describe();
  std::printf("%8.3f %s\n", static_cast<double>(world_.events.now()) / 1e9, told_.c_str());
}

std::string ViewProcess::describe() const {
  const View& view = membership_->view();
  std::string text = "  node " + std::to_string(id_.node) + " seat " +
                     std::to_string(membership_->seat()) + " view " + std::to_string(view.number) +
                     " members " + std::to_string(view.seats()) + " suspects " +
                     std::to_string(membership_->suspects()) + " attempt " +
                     std::to_string(membership_->attempt());
  if (const View* next = membership_->proposal()) {
    text += " next " + std::to_string(next->number) + " members " + std::to_string(next->seats()) +
            " ballot " + std::to_string(membership_->ballot());
    text += row_[ViewRow::kPrepared] == membership_->vote() ? " prepared" : "";
  }
  for (const auto& [shard, mine] : hosts_) {
    text += " shard " + std::to_string(shard);
    if (mine.replica != nullptr)
      text += " epoch " + std::to_string(mine.replica->config().epoch) + " phase " +
              std::to_string(static_cast<int>(mine.replica->end_phase()));
    if (mine.store != nullptr) text += " version " + std::to_string(mine.store->newest_version());
  }
  text += preparing_ != 0 ? " preparing" : "";
  return text + (paused_ ? " paused" : "") + (leaving_ ? " leaving" : "");
}

}  // namespace freshet::test
