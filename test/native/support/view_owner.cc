// What the owner of a Membership does; see view_process.h.
#include <algorithm>

#include "test/native/support/view_process.h"

namespace freshet::test {
namespace {

constexpr size_t kFillBuffer = size_t{1} << 20;
constexpr size_t kSimulatedSegment = size_t{64} << 10;
constexpr Nanos kFillAgain = 20'000'000;

}  // namespace

Nanos ViewProcess::owner_delay() {
  const Nanos stalled = std::max<Nanos>(0, stalled_until_ - world_.events.now());
  const Nanos most = world_.random.chance(world_.slow_percent) ? 60'000'000 : 1'000'000;
  return stalled + world_.random.between(0, most);
}

void ViewProcess::take_events() {
  for (const MembershipEvent event : membership_->take_events()) {
    events_.push_back(event);
    if (event == MembershipEvent::kPrepare) asked_ = membership_->vote();
    if (event == MembershipEvent::kPrepare && !is_blank()) {
      const std::vector<ViewMember>& members = membership_->view().members;
      const Rank leader = leader_of(membership_->ballot());
      if (leader < members.size()) asked_by_ |= seat_bit(members[leader].seat);
    }
    if (event == MembershipEvent::kInstalled) {
      asked_by_ = 0;
      world_.ledger.check_installed(membership_->view(), installed_, id_.node);
      installed_ = membership_->view().number;
    }
  }
  if (events_.empty() || owning_) return;
  owning_ = true;
  later(owner_delay(), [this] { own(); });
}

void ViewProcess::own() {
  owning_ = false;
  for (const MembershipEvent event : std::exchange(events_, {})) {
    if (event == MembershipEvent::kOutdated) return world_.on_outdated(id_.node);
    if (event == MembershipEvent::kPrepare && is_current(asked_)) prepare();
    if (event == MembershipEvent::kBehind) fill_behind();
    if (event == MembershipEvent::kInstalled) installed_one();
  }
  wake(0);
}

// Makes the epochs of the proposal in which this member is.
void ViewProcess::prepare() {
  const View* view = membership_->proposal();
  if (view == nullptr) return;
  preparing_ = membership_->vote();
  recording_ = false;
  // Of a view that was asked for before the epochs stay: others may have begun them.
  if (prepared_view_ == *view) return check_prepared(preparing_);
  prepared_view_ = *view;
  to_make_.clear();
  const View& before = membership_->view();
  for (size_t i = 0; i < view->shards.size(); i++) {
    const ViewShard& shard = view->shards[i];
    const bool is_new = !is_blank() && i >= before.shards.size();
    const bool runs_on = !is_blank() && !is_new && before.shards[i] == shard;
    if (runs_on || !has_seat(shard.seats(), membership_->seat())) continue;
    Host& mine = host(shard.shard);
    drop_next(mine);
    to_make_.emplace_back(shard.shard, shard.epoch);
    if (mine.replica != nullptr) {
      if (!mine.replica->is_prepared()) world_.ledger.violation("asked to prepare too early");
      make_next(*view, i);
    } else if (is_new) {
      drop_store(mine);
      make_next(*view, i);
    } else {
      drop_store(mine);
      fill(shard.shard, shard.epoch);
    }
  }
  check_prepared(preparing_);
}

void ViewProcess::make_store(Host& mine, const ViewShard& shard) {
  drop_store(mine);
  mine.store = std::make_unique<Store>(StoreConfig{
      .shard = shard.shard, .persistent = shard.persistent, .segment_size = kSimulatedSegment});
  mine.life = ++world_.stores;
}

// Batches on their way to its disk are of no use.
void ViewProcess::drop_store(Host& mine) {
  mine.store.reset();
  mine.life = 0;
  mine.checked = 0;
  mine.unsynced = 0;
}

void ViewProcess::make_next(const View& view, size_t index) {
  const ViewShard& shard = view.shards[index];
  Host& mine = host(shard.shard);
  if (mine.store == nullptr) make_store(mine, shard);
  ShardConfig config;
  config.shard = shard.shard;
  config.epoch = shard.epoch;
  for (const Seat seat : shard.members) config.members.push_back(view.at(seat)->id.node);
  config.senders = shard.senders;
  config.me = id_.node;
  config.persistent = shard.persistent;
  config.block_size = kBlockSizeMin;
  mine.next = std::make_unique<ShardReplica>(config, *mine.store, hybrid_);
  grant(mine.next->regions());
}

// Waits for somebody that has all of the history up to this epoch, and copies it.
void ViewProcess::fill(ShardId shard, Epoch epoch) {
  later(world_.random.between(1'000'000, kFillAgain), [=, this] {
    if (membership_->proposal() == nullptr || *membership_->proposal() != prepared_view_) return;
    const View& view = prepared_view_;
    const size_t index = view.index_of(shard);
    ViewProcess* donor = donor_of(shard, epoch, view.parent);
    if (donor == nullptr) return fill(shard, epoch);
    const ViewShard& after = view.shards[index];
    Host& mine = host(shard);
    make_store(mine, after);
    if (!copy_from(*donor, shard, epoch)) {
      world_.ledger.violation("a donor's log cannot be copied");
      return;
    }
    world_.ledger.check_history(shard, *mine.store, mine.checked, id_.node);
    make_next(view, index);
    sync(shard, mine);
    check_prepared(preparing_);
  });
}

// One that has begun an epoch from `before` on, or has ended, in view `number`, the one before it.
ViewProcess* ViewProcess::donor_of(ShardId shard, Epoch before, uint32_t number) {
  for (const auto& other : world_.running) {
    if (other == nullptr || other.get() == this || other->paused_) continue;
    if (!world_.network.is_connected(id_.node, other->id_.node)) continue;
    const ShardReplica* replica = other->replica(shard);
    if (replica == nullptr) continue;
    const View& its = other->membership_->view();
    const bool ended = its.number == number && replica->is_prepared() &&
                       replica->config().epoch == its.find(shard)->epoch;
    if (replica->config().epoch >= before || ended) return other.get();
  }
  return nullptr;
}

bool ViewProcess::copy_from(ViewProcess& donor, ShardId shard, Epoch before) {
  Store& from = *donor.host(shard).store;
  Store& to = *host(shard).store;
  std::vector<std::byte> buffer(kFillBuffer);
  LogPosition after = to.last_position();
  Store::SessionsRead sessions;
  for (;;) {
    size_t used = 0;
    if (from.read_log(after, buffer, used, after, &sessions) != Status::kOk) return false;
    if (used == 0) return true;
    for (size_t at = 0; at < used;) {
      const RecordView record(buffer.data() + at);
      if (record.header().epoch >= before) return true;
      if (to.restore(record, std::nullopt) != Status::kOk) return false;
      at += record.size();
    }
  }
}

// Once every epoch is there and on disk, the view's record follows.
void ViewProcess::check_prepared(uint64_t vote) {
  if (vote == 0 || vote != preparing_ || !is_current(vote) || recording_) return;
  for (const auto& [shard, epoch] : to_make_) {
    const Host& mine = host(shard);
    if (mine.next == nullptr || mine.unsynced > 0) return;
  }
  recording_ = true;
  const Nanos most = world_.random.chance(world_.slow_percent) ? 400'000'000 : 10'000'000;
  later(world_.random.between(10'000, most), [=, this] {
    membership_->prepared(vote);
    wake(0);
  });
}

// The trim covers what this member has not received.
void ViewProcess::fill_behind() {
  bool waits = false;
  for (auto& [shard, mine] : hosts_) {
    if (mine.replica == nullptr || mine.replica->end_phase() != EndPhase::kBehind) continue;
    const Epoch before = mine.replica->config().epoch + 1;
    ViewProcess* donor = donor_of(shard, before, installed());
    if (donor == nullptr) {
      waits = true;
      continue;
    }
    if (!copy_from(*donor, shard, before)) world_.ledger.violation("a log cannot be copied");
    mine.replica->filled();
    world_.behind++;
  }
  if (waits) later(kFillAgain, [this] { fill_behind(); });
  wake(0);
}

void ViewProcess::drop_next(Host& mine) {
  if (mine.next == nullptr) return;
  revoke(*mine.next);
  mine.next.reset();
}

// What waited for disks is answered, the rest is refused.
void ViewProcess::end_replica(ShardId shard, Host& mine) {
  if (!mine.replica->is_prepared()) {
    world_.ledger.violation("shard " + std::to_string(shard) + " goes on without its end at node " +
                            std::to_string(id_.node));
  } else {
    mine.replica->confirm(out_);
  }
  mine.replica->stop(Status::kShardStopped, out_);
  membership_->detach(*mine.replica);
  for (const Completion& completion : out_.completions) complete(completion);
  for (const Token token : out_.released) lent_.erase(token);
  out_.clear();
  for (const auto& [token, of] : puts_)
    if (of == shard) world_.ledger.violation("token " + std::to_string(token) + " is unanswered");
  std::erase_if(reads_, [shard = shard](const auto& item) { return item.second.shard == shard; });
  revoke(*mine.replica);
  mine.replica.reset();
}

void ViewProcess::installed_one() {
  const View& view = membership_->view();
  preparing_ = 0;
  prepared_view_ = View();
  for (const ViewShard& shard : view.shards) {
    Host& mine = host(shard.shard);
    const bool member = has_seat(shard.seats(), membership_->seat());
    if (mine.replica != nullptr && member && mine.replica->config().epoch == shard.epoch) continue;
    // Taken away: what all had when its last epoch ended is what counts.
    if (mine.replica != nullptr && shard.closed)
      world_.ledger.check_begin(shard.shard, shard.epoch, mine.store->newest_version(), id_.node);
    if (mine.replica != nullptr) end_replica(shard.shard, mine);
    if (!member) {
      drop_next(mine);
      drop_store(mine);
      continue;
    }
    if (mine.next == nullptr || mine.next->config().epoch != shard.epoch) {
      world_.ledger.violation("view " + std::to_string(view.number) + " at node " +
                              std::to_string(id_.node) + " without being prepared");
      continue;
    }
    mine.replica = std::move(mine.next);
    mine.replica->begin();
    membership_->attach(*mine.replica);
    world_.ledger.check_begin(shard.shard, shard.epoch, mine.store->newest_version(), id_.node);
  }
}

// Lets in who is blank and connected with all; else adds, takes away or moves a shard now and then.
void ViewProcess::consider_proposal() {
  if (!membership_->leads() || membership_->proposal() != nullptr) return;
  if (world_.random.chance(30) || world_.events.now() < stalled_until_) return;
  View next = membership_->view();
  next.parent = next.number++;
  if (!let_in(next) && !add_shard(next) && !take_away(next) && !move_shard(next)) return;
  (void)membership_->propose(next);
  wake(0);
}

bool ViewProcess::let_in(View& next) {
  const View& view = membership_->view();
  size_t free = view.members.size() == 1 ? 1 : view.members.size() - 1;
  SeatSet taken = view.seats();
  for (const auto& other : world_.running) {
    if (free == 0) break;
    if (other == nullptr || !other->is_blank() || other->membership_->proposal() != nullptr)
      continue;
    const NodeId node = other->id_.node;
    bool reachable = true;
    bool known = false;
    for (const ViewMember& member : next.members) {
      known = known || member.id.node == node;
      reachable = reachable && world_.network.is_connected(member.id.node, node);
    }
    if (known || !reachable) continue;
    Seat seat = 0;
    while (has_seat(taken, seat)) seat++;
    taken |= seat_bit(seat);
    next.members.push_back({other->id_, seat});
    free--;
    for (ViewShard& shard : next.shards) {
      if (shard.closed || world_.random.chance(35)) continue;
      if (shard.epoch == view.find(shard.shard)->epoch) shard.epoch++;
      if (world_.random.chance(60))
        shard.senders.push_back(static_cast<Rank>(shard.members.size()));
      shard.members.push_back(seat);
    }
  }
  return next.members.size() > view.members.size();
}

// Behind the others, at some of the members; its history begins with the view.
bool ViewProcess::add_shard(View& next) {
  if (world_.additions_left == 0 || world_.random.chance(90)) return false;
  ViewShard shard;
  shard.shard = next.shards.back().shard + 1;
  shard.epoch = next.number;
  shard.persistent = world_.random.chance(50);
  for (const ViewMember& member : next.members)
    if (world_.random.chance(60)) shard.members.push_back(member.seat);
  if (shard.members.empty()) return false;
  for (Rank rank = 0; rank < shard.members.size(); rank++)
    if (rank == 0 || world_.random.chance(60)) shard.senders.push_back(rank);
  next.shards.push_back(std::move(shard));
  world_.additions_left--;
  return true;
}

// It keeps its place, closed, and nobody opens it again.
bool ViewProcess::take_away(View& next) {
  if (world_.removals_left == 0 || world_.random.chance(90)) return false;
  ViewShard& shard = next.shards[world_.random.below(next.shards.size())];
  if (shard.closed) return false;
  shard.epoch++;
  shard.closed = true;
  shard.members.clear();
  shard.senders.clear();
  world_.removals_left--;
  return true;
}

bool ViewProcess::move_shard(View& next) {
  if (world_.moves_left == 0 || world_.random.chance(94) || next.shards.empty()) return false;
  ViewShard& shard = next.shards[world_.random.below(next.shards.size())];
  if (shard.closed) return false;
  const ViewMember& member = next.members[world_.random.below(next.members.size())];
  const auto place = std::find(shard.members.begin(), shard.members.end(), member.seat);
  if (place == shard.members.end()) {
    if (shard.members.size() == kMembersMax) return false;
    shard.members.push_back(member.seat);
  } else {
    if (shard.members.size() == 1) return false;
    shard.members.erase(place);
    std::erase_if(shard.senders, [&](Rank rank) { return rank >= shard.members.size(); });
    if (shard.senders.empty()) shard.senders.push_back(0);
  }
  world_.moves_left--;
  shard.epoch++;
  return true;
}

}  // namespace freshet::test
