#include "test/native/support/view_group.h"

#include <algorithm>
#include <cstdlib>

namespace freshet::test {
namespace {

constexpr Nanos kWarmUp = 400'000'000;
constexpr Nanos kWatch = 50'000'000;
constexpr Nanos kSettleMax = 60'000'000'000;  // after the last fault
constexpr size_t kViewViolationsMax = 3;

}  // namespace

ViewGroup::ViewGroup(ViewConfig config)
    : config_(config),
      world_(config.seed * 2 + 1, SeededRandom(config.seed).chance(30) ? 10 : 0),
      nodes_(2 + world_.random.below(6)),
      faults_left_(1 + world_.random.below(8)) {
  world_.trace = std::getenv("FRESHET_TRACE") != nullptr;
  world_.slow_percent = world_.random.chance(40) ? 25 : 5;
  world_.moves_left = world_.random.below(12);
  world_.additions_left = config.additions;
  world_.removals_left = config.removals;
  world_.running.resize(nodes_);
  world_.on_stepped = [this](ViewProcess& process) { on_stepped(process); };
  world_.on_outdated = [this](NodeId node) {
    result_.outdated++;
    crash(node, true);
    restart(node, world_.random.between(10'000'000, 300'000'000));
  };
}

ViewGroup::~ViewGroup() = default;

// The first of the nodes, with shards of various subsets of them.
View ViewGroup::first_view(size_t members) {
  View view;
  view.number = 1;
  for (Seat seat = 0; seat < members; seat++)
    view.members.push_back({{seat + 1, ++incarnations_}, seat});
  const size_t shards = 1 + world_.random.below(4);
  for (ShardId id = 1; id <= shards; id++) {
    ViewShard shard;
    shard.shard = id;
    shard.epoch = 1;
    shard.persistent = world_.random.chance(50);
    for (Seat seat = 0; seat < members; seat++)
      if (world_.random.chance(70)) shard.members.push_back(seat);
    if (shard.members.empty()) shard.members.push_back(static_cast<Seat>(id % members));
    for (Rank rank = 0; rank < shard.members.size(); rank++)
      if (world_.random.chance(60)) shard.senders.push_back(rank);
    if (shard.senders.empty()) shard.senders.push_back(0);
    view.shards.push_back(shard);
  }
  return view;
}

void ViewGroup::start(NodeId node, const View* view) {
  const MemberId id = view != nullptr ? view->at(node - 1)->id : MemberId{node, ++incarnations_};
  auto process = std::make_shared<ViewProcess>(world_, id);
  all_.push_back(process);
  world_.running[node - 1] = process;
  if (view != nullptr) process->begin(*view);
  process->start();
}

ViewResult ViewGroup::run() {
  const size_t members = world_.random.chance(60) ? nodes_ : 1 + world_.random.below(nodes_);
  const View view = first_view(members);
  shards_ = view.shards;
  for (NodeId node = 1; node <= nodes_; node++) start(node, node <= members ? &view : nullptr);
  world_.events.after(kWarmUp, [this] { arm(); });
  client();
  watch();
  while (!done_ && world_.ledger.violations.size() < kViewViolationsMax) world_.events.run_next();
  result_.violations = std::move(world_.ledger.violations);
  result_.trace = world_.network.trace();
  result_.behind = world_.behind;
  result_.views = world_.ledger.newest_view;
  result_.reads = world_.ledger.reads;
  result_.acknowledgements = world_.ledger.acknowledgements;
  return std::move(result_);
}

std::shared_ptr<ViewProcess> ViewGroup::random_process() {
  return world_.running[world_.random.below(nodes_)];
}

void ViewGroup::client() {
  if (ended_ != 0) return;
  const auto process = random_process();
  if (process != nullptr && !process->paused() && !process->is_blank()) {
    const ShardId shard = shards_[world_.random.below(shards_.size())].shard;
    const size_t most = world_.random.chance(6) ? 60'000 : 300;
    if (world_.random.chance(40)) process->read(shard);
    for (uint64_t i = world_.random.below(3); i > 0 && process->puts_at(shard); i--)
      (void)process->put(shard, world_.random.below(most),
                         world_.random.chance(30) ? Ack::kPersisted : Ack::kDelivered);
  }
  world_.events.after(world_.random.between(1'000'000, 40'000'000), [this] { client(); });
}

// Shards that leaders have added.
void ViewGroup::note_shards() {
  for (const auto& process : world_.running) {
    if (process == nullptr || process->is_blank()) continue;
    const std::vector<ViewShard>& shards = process->membership().view().shards;
    if (shards.size() <= shards_.size()) continue;
    result_.added += shards.size() - shards_.size();
    shards_ = shards;
  }
}

// Without faults: one view, then puts, then all alike.
void ViewGroup::watch() {
  note_shards();
  if (ended_ != 0) {
    if (last_puts_.empty() && have_settled()) put_everywhere();
    if (!last_puts_.empty() && are_alike()) return finish(true);
    if (world_.events.now() - ended_ > kSettleMax) return finish(false);
  }
  world_.events.after(kWatch, [this] { watch(); });
}

// One view with all processes at all of them.
bool ViewGroup::have_settled() const {
  const ViewProcess* first = world_.running.front().get();
  if (first == nullptr || first->membership().view().members.size() != nodes_) return false;
  const View& view = first->membership().view();
  return std::ranges::all_of(world_.running, [&](const auto& process) {
    return process != nullptr && process->settled(view);
  });
}

void ViewGroup::put_everywhere() {
  last_puts_.emplace_back(0, 0);  // there may be no open shard
  for (const auto& process : world_.running) {
    for (const ViewShard& shard : shards_)
      if (process->puts_at(shard.shard))
        last_puts_.emplace_back(process->id().node, process->put(shard.shard, 10, Ack::kDelivered));
  }
}

bool ViewGroup::are_alike() {
  if (!have_settled()) {
    last_puts_.clear();  // somebody was suspected, although nothing is wrong any more
    return false;
  }
  for (const auto& [node, token] : last_puts_) {
    // One that only set rules, or came before them, has no version: it is answered all the same.
    if (node != 0 && (token == 0 || !at(node)->is_answered(token))) return false;
  }
  for (const auto& process : world_.running) {
    for (const auto& other : world_.running) {
      const DiskSpace seen = process->membership().disk_of(other->id().node);
      if (other != process && !(seen == other->disk())) return false;
    }
  }
  for (const ViewShard& shard : shards_) {
    for (const auto& process : world_.running) {
      Store* store =
          process->replica(shard.shard) != nullptr ? process->store(shard.shard) : nullptr;
      if (store == nullptr) continue;
      if (store->newest_version() != world_.ledger.newest(shard.shard)) return false;
    }
  }
  return true;
}

// A proposal that may be installed somewhere stands, and may need members that are lost, or
// histories of members that it removes: ways to stand still that core/README.md names as open.
bool ViewGroup::may_stand_still() const {
  for (const auto& process : world_.running) {
    if (process == nullptr || process->is_blank()) continue;
    const View& view = process->membership().view();
    const View* next = process->membership().proposal();
    if (is_lost(*process, nullptr)) return true;
    for (const ViewShard& shard : view.shards) {
      if (is_end_lost(shard.shard)) return true;
      const bool stays = next != nullptr && is_undecided(view, nullptr);
      const SeatSet kept = stays ? next->seats() : view.seats();
      const bool held =
          shard.closed || std::ranges::any_of(shard.members, [&](Seat seat) {
            const ViewProcess* holder = world_.running[view.at(seat)->id.node - 1].get();
            return has_seat(kept, seat) && holder != nullptr && holder->id() == view.at(seat)->id &&
                   holder->replica(shard.shard) != nullptr;
          });
      if (!held) return true;
    }
  }
  return false;
}

// Somebody lacks the end of its epoch, and nobody has it.
bool ViewGroup::is_end_lost(ShardId shard) const {
  bool lacks = false;
  bool has = false;
  for (const auto& process : world_.running) {
    const ShardReplica* mine = process == nullptr ? nullptr : process->replica(shard);
    if (mine == nullptr) continue;
    const bool behind = mine->end_phase() == EndPhase::kBehind;
    lacks = lacks || behind;
    has = has ||
          (!behind && mine->frontiers().delivered_version.load() == world_.ledger.newest(shard));
  }
  return lacks && !has;
}

void ViewGroup::finish(bool in_time) {
  done_ = true;
  if (!in_time && may_stand_still()) {
    result_.stands_still = 1;
    return;
  }
  result_.settled_after = world_.events.now() - ended_;
  if (in_time) {
    const View& last = world_.running.front()->membership().view();
    result_.removed = static_cast<uint64_t>(std::ranges::count_if(last.shards, &ViewShard::closed));
    return;
  }
  std::string state = "not at rest a minute after the last fault:";
  for (const auto& process : world_.running) {
    state += '\n';
    state += process == nullptr ? "  none" : process->describe();
  }
  for (const auto& [node, token] : last_puts_) {
    if (node == 0 || (token != 0 && at(node)->is_answered(token))) continue;
    state += "\n  unanswered: token " + std::to_string(token) + " of node " + std::to_string(node);
  }
  for (const ViewShard& shard : shards_)
    state += "\n  shard " + std::to_string(shard.shard) + " has " +
             std::to_string(world_.ledger.newest(shard.shard)) + " versions";
  world_.ledger.violation(state);
}

}  // namespace freshet::test
