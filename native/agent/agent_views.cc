// The agent and the views: who is there, which view runs, whether the event loop still turns.
#include <algorithm>

#include "native/agent/agent.h"

namespace freshet {
namespace {

constexpr Nanos kLoopAsked = 1'000'000'000;
// A member that was heard within so many heartbeats is slow, not silent.
constexpr Nanos kHeardBeats = 3;

}  // namespace

ViewHost::Context Agent::view_context() {
  MembershipLimits limits;
  limits.heartbeat = config_.heartbeat;
  limits.lease = config_.lease;
  limits.detector.silence_min = config_.silence;
  limits.detector.silence_max = std::max(config_.silence, limits.detector.silence_max);
  return {config_.node,
          limits,
          transport_,
          rows_,
          shared_.view,
          shared_.lease_until,
          [this](ShardId shard) { return find(shard); },
          config_.write_record};
}

// Behind the shards: a row is not seen before what the shards' rows have to show first.
int Agent::step_views(Nanos now) {
  if (!views_.dirty && !views_.is_changing()) return 0;
  return views_.step(now, shared_.loop_beat.load(std::memory_order_relaxed));
}

// A loop that has nothing to do is woken now and then, to tell it from one that stands still.
void Agent::ask_loop(Nanos now) {
  if (!views_.has_view()) return;
  const uint64_t turns = shared_.loop_beat.load(std::memory_order_relaxed);
  if (turns != loop_turns_) {
    loop_turns_ = turns;
    loop_turned_ = now;
  } else if (now - loop_turned_ >= kLoopAsked) {
    loop_turned_ = now;
    shared_.wake_loop();
  }
}

// Without a view there is nothing to be done about a slow member.
void Agent::watch_lag(Nanos now) {
  if (!views_.has_view()) return;
  const Nanos since = now - kHeardBeats * config_.heartbeat;
  const auto is_heard = [&](NodeId node) { return views_.is_heard_since(node, since); };
  for (ShardHost* host : order_) host->watch_lag(now, is_heard);
}

// What each disk has left is told to all, and asked for here: a shard takes what all of its members
// have room for.
void Agent::look_at_disks() {
  DiskSpace mine;
  if (log_ != nullptr) {
    mine = log_->space();
    views_.set_disk(mine);
    note_disk(config_.node, mine);
  }
  for (const NodeId node : views_.peers()) note_disk(node, views_.disk_of(node));
  for (ShardHost* host : order_) {
    DiskLeft left;
    if (host->is_prepared()) {
      for (const NodeId node : host->replica()->config().members)
        left.add(node == config_.node ? mine : views_.disk_of(node));
    }
    host->set_disk_left(left);
  }
}

void Agent::note_disk(NodeId node, const DiskSpace& space) {
  const auto found = short_disks_.find(node);
  if (space.room == DiskRoom::kEnough) {
    if (found == short_disks_.end()) return;
    short_disks_.erase(found);
  } else {
    if (found != short_disks_.end() && found->second == space) return;
    short_disks_[node] = space;
  }
  rows_.push(make_row(RowKind::kDisk, node, space.free, static_cast<uint8_t>(space.room)));
}

Status Agent::add_peer(const PeerAddress& address, std::shared_ptr<PeerView> view) {
  const Status status = links_.add(address, std::move(view));
  if (is_ok(status)) views_.add_peer(address.node);
  return status;
}

void Agent::forget_peer(NodeId node) {
  if (!views_.has_view()) lose(node);
  views_.forget_peer(node);
  note_disk(node, {});
  links_.forget(node);
}

Status Agent::begin_view(const View& view, size_t ring_size) {
  if (!views_.can_begin(view)) return Status::kInvalidArgument;
  for (const ViewShard& shard : view.shards) {
    ShardHost* host = find(shard.shard);
    const Seat seat = view.seat_of({config_.node, views_.incarnation()});
    if (seat == kNoSeat) return Status::kInvalidArgument;
    if (!has_seat(shard.seats(), seat)) continue;
    if (host == nullptr || !host->is_prepared() || host->epoch() != shard.epoch)
      return Status::kShardStopped;
  }
  views_.need_lease();
  for (const ViewShard& shard : view.shards) {
    ShardHost* host = find(shard.shard);
    if (host != nullptr && host->is_prepared()) (void)host->start_epoch(shard.epoch);
  }
  return views_.begin(view, ring_size, config_.now());
}

void Agent::renew(uint64_t incarnation) {
  // Before the lease is that of a member without a view: what is held back is not answered by it.
  for (ShardHost* host : order_) {
    host->leave_epoch(std::nullopt);
    stop_epoch(*host, Status::kShardStopped, 0, true);
  }
  // First: the rows that views give up are memory that peers write.
  transport_.renew(incarnation);
  views_.renew(incarnation);
}

}  // namespace freshet
