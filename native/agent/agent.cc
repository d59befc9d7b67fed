#include "native/agent/agent.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

namespace freshet {
namespace {

constexpr size_t kCommandRingSize = size_t{4} << 20;
// Taken in one pass, so that what arrives meanwhile gets its turn.
constexpr int kCommandsPerPass = 2048;
constexpr size_t kCommandBytesPerPass = kCopySlice;
constexpr size_t kEventsPerPass = 4096;
// A poll that brought no more than this is likely to have brought all there was.
constexpr int kLittleBytes = 4096;

void show(std::atomic<bool>& flag, bool value) {
  if (flag.load(std::memory_order_relaxed) != value) flag.store(value);
}

}  // namespace

AgentShared::AgentShared() : commands(kCommandRingSize), rows(kRowRingCapacity) {}

Agent::Agent(AgentConfig config, AgentShared& shared, Transport& transport, LogWriter* log)
    : config_(std::move(config)),
      shared_(shared),
      transport_(transport),
      log_(log),
      rows_(shared.rows),
      callers_(rows_),
      links_({config_.node, config_.incarnation, config_.silence, config_.congested}, transport),
      views_(view_context(), config_.incarnation),
      now_start_(config_.now()),
      wall_start_(config_.wall()) {
  shared_.clock.observe(wall_start_ - 1);
}

void Agent::shift_wall(Micros by, bool anew) {
  wall_start_.fetch_add(by, std::memory_order_relaxed);
  if (!anew) return;
  Micros newest = 0;
  for (const ShardHost* host : order_) {
    if (host->is_prepared()) return;
    if (host->is_open()) newest = std::max(newest, host->store()->newest_time());
  }
  shared_.clock.begin_anew(newest);
}

Agent::~Agent() = default;

bool Agent::open_door(std::unique_ptr<NativeDoor> door) {
  door_ = std::move(door);
  door_->attach([this](ShardId shard) { return find(shard); },
                [this](uint64_t call, Bytes frame) { return hand_over(call, frame); });
  callers_.set_door(door_.get());
  return transport_.watch(door_->descriptor(), [this] { door_->on_ready(); });
}

void Agent::run(const std::atomic<bool>& stop) {
  WorkMeter meter(config_.now);
  work_meter = &meter;
  int work = 1;
  while (!stop.load(std::memory_order_relaxed)) {
    Nanos wait = 0;
    if (work == 0) {
      const Nanos now = config_.now();
      if (idle_since_ == 0) idle_since_ = now;
      if (now - idle_since_ >= config_.spin) wait = wait_time(now);
    } else {
      idle_since_ = 0;
    }
    if (wait > 0) {
      // Either we see what was put in before this, or who puts it in sees us asleep.
      shared_.asleep.store(true, std::memory_order_seq_cst);
      if (!shared_.commands.empty() || shared_.mailbox.has_mail() || stop.load()) wait = 0;
      if (shared_.has_rows() || shared_.has_inbox()) wait = 0;
    }
    if (wait > 0) AgentCounters::add(shared_.counters.sleeps);
    // Sending may relieve a peer that shards hold back from: they have to hear of it before a
    // sleep.
    work = 0;
    if (links_.has_busy()) {
      work = transport_.poll(0, peer_events_);
      if (look_at_backlogs(config_.now())) wait = 0;
    }
    if (work == 0) work = transport_.poll(wait, peer_events_);
    if (shared_.asleep.load(std::memory_order_relaxed))
      shared_.asleep.store(false, std::memory_order_relaxed);
    const bool little = work <= kLittleBytes;
    work += do_work(config_.now());
    if (work == 0 || !little) continue;
    // To answer and go to sleep takes one call to the kernel then, not a look at the network first.
    transport_.flush();
    work = do_work(config_.now());
  }
  end();
  work_meter = nullptr;
}

int Agent::step() {
  const int taken = transport_.poll(0, peer_events_);
  return taken + do_work(config_.now());
}

Nanos Agent::due_at() const {
  const Nanos now = config_.now();
  return now + wait_time(now);
}

Nanos Agent::wait_time(Nanos now) const {
  Nanos until = std::min(beat_at_, links_.eased_at());
  for (const ShardHost* host : order_)
    if (host->has_deferred()) until = std::min(until, now + 1'000'000);
  if (door_ != nullptr) until = std::min(until, door_->due_at());
  return std::max<Nanos>(until - now, 0);
}

int Agent::do_work(Nanos now) {
  AgentCounters::add(shared_.counters.passes);
  lacks_rows_ = lacks_inbox_ = false;
  int work = take_peer_events(now);
  mark_touched();
  work += take_mail();
  work += take_commands(now);
  if (door_ != nullptr) work += door_->take(now, views_.membership().view().number);
  if (!appends_.empty()) work += take_appends();
  (void)look_at_backlogs(now);
  if (now >= beat_at_) run_timers(now);
  work += step_shards(now);
  work += step_views(now);
  work += step_messages();
  if (subscriptions_ > 0) work += collect_events();
  if (door_ != nullptr) work += door_->collect(now);
  if (log_ != nullptr) work += run_logs(false);
  if (work > 0 || to_maintain_) work += maintain(work == 0);
  if (!retired_.empty()) drop_retired();
  if (door_ != nullptr) work += door_->send();
  if (rows_.publish()) {
    const WorkScope scope(Work::kSystem);
    shared_.wake_loop();
  }
  lacks_rows_ = lacks_rows_ || rows_.has_waiting();
  show(shared_.wants_rows, lacks_rows_);
  show(shared_.wants_inbox, lacks_inbox_);
  return work;
}

int Agent::take_peer_events(Nanos now) {
  const int count = static_cast<int>(peer_events_.size());
  for (const PeerEvent& event : peer_events_) {
    links_.on_event(event, now);
    views_.on_event(event, now);
    const auto kind = event.kind;
    if (kind == PeerEvent::Kind::kDown) {
      AgentCounters::add(shared_.counters.peersLost);
      if (!views_.has_view()) lose(event.node);
    }
    if (kind == PeerEvent::Kind::kUp) AgentCounters::add(shared_.counters.peersUp);
    const int shown = kind == PeerEvent::Kind::kUp ? 1 : kind == PeerEvent::Kind::kDown ? 0 : 2;
    rows_.push(make_row(RowKind::kPeer, event.node, shown, static_cast<uint8_t>(event.reason)));
  }
  peer_events_.clear();
  return count;
}

void Agent::lose(NodeId node) {
  for (ShardHost* host : order_)
    if (host->contains(node)) stop_epoch(*host, Status::kShardStopped, node, true);
}

void Agent::stop_epoch(ShardHost& host, Status reason, NodeId lost, bool report) {
  if (!host.is_prepared()) return;
  if (host.replica() != nullptr) views_.on_stopped(*host.replica());
  host.stop_epoch(reason);
  if (!report) return;
  AgentCounters::add(shared_.counters.epochsStopped);
  rows_.push(make_row(RowKind::kShardStopped, host.id(), static_cast<uint8_t>(reason), lost));
}

void Agent::mark_touched() {
  touched_.clear();
  if (!transport_.take_touched(touched_)) {
    for (ShardHost* host : order_) host->dirty = true;
    links_dirty_ = views_.dirty = true;
    return;
  }
  for (const RegionId& id : touched_) {
    if (id.kind == RegionKind::kShardRow || id.kind == RegionKind::kRing) {
      if (ShardHost* host = find(id.shard)) host->dirty = true;
    } else if (id.kind == RegionKind::kViewRow) {
      views_.dirty = true;
    } else if (id.kind != RegionKind::kMemberRow && id.kind != RegionKind::kBlocks) {
      links_dirty_ = true;
    }
  }
}

int Agent::take_mail() {
  if (!shared_.mailbox.has_mail()) return 0;
  const std::vector<AgentTask> tasks = shared_.mailbox.take();
  for (const AgentTask& task : tasks) task();
  return static_cast<int>(tasks.size());
}

int Agent::take_commands(Nanos now) {
  // A change is stamped when it is taken, not with the time of the pass before the sleep.
  shared_.clock.observe(wall(now) - 1);
  uint32_t type;
  MutableBytes body;
  int count = 0;
  size_t bytes = 0;
  while (count < kCommandsPerPass && bytes < kCommandBytesPerPass &&
         shared_.commands.front(type, body)) {
    take_command(static_cast<CommandType>(type), body, now);
    bytes += body.size();
    shared_.commands.pop();
    count++;
  }
  if (count > 0) AgentCounters::add(shared_.counters.commands, static_cast<uint64_t>(count));
  return count;
}

void Agent::take_command(CommandType type, MutableBytes body, Nanos now) {
  switch (type) {
    case CommandType::kSubmit: {
      const auto& submit = *reinterpret_cast<const SubmitCommand*>(body.data());
      find_known(submit.shard).submit(submit.submission(), now);
      return;
    }
    case CommandType::kWaitCurrent: {
      const auto& wait = *reinterpret_cast<const WaitCommand*>(body.data());
      find_known(wait.shard).wait_current(wait.token, wait.persisted);
      return;
    }
    case CommandType::kSetDispatched: {
      const auto& dispatched = *reinterpret_cast<const DispatchedCommand*>(body.data());
      find_known(dispatched.shard).set_dispatched(dispatched.version);
      return;
    }
    case CommandType::kTask: {
      AgentCall* raw;
      std::memcpy(&raw, body.data(), sizeof raw);
      const std::unique_ptr<AgentCall> call(raw);
      (*call)(*this);
      links_dirty_ = true;
      return;
    }
  }
}

// The event loop asks only for shards that it found in the directory.
ShardHost& Agent::find_known(ShardId shard) {
  ShardHost* host = find(shard);
  FRESHET_CHECK_VALUES(host != nullptr, shard, order_.size());
  return *host;
}

ShardHost* Agent::find(ShardId shard) {
  const auto found = hosts_.find(shard);
  return found == hosts_.end() ? nullptr : found->second.get();
}

ShardHost* Agent::add_shard(ShardId shard, bool persistent) {
  FRESHET_CHECK_VALUES(find(shard) == nullptr, shard, 0);
  ShardView* view = shared_.directory.add(shard, persistent);
  if (view == nullptr) return nullptr;
  const ShardHost::Context context{
      config_.node, shared_.clock,    transport_,          links_,     rows_, callers_,
      retired_,     shared_.counters, shared_.lease_until, config_.now};
  auto& host = hosts_[shard];
  host = std::make_unique<ShardHost>(*view, context);
  order_.push_back(host.get());
  return host.get();
}

int Agent::step_shards(Nanos now) {
  int work = 0;
  // Who sent blocks of large values last is last, as there may be room for few.
  const size_t first = next_stepped_;
  for (size_t i = 0; i < order_.size(); i++) {
    const size_t at = (first + i) % order_.size();
    ShardHost* const host = order_[at];
    if (!host->dirty && !host->has_deferred() && !host->has_held()) continue;
    host->dirty = false;
    bool ended = false;
    const int done = host->step(wall(now), now, ended);
    if (ended) {
      views_.on_stopped(*host->replica());
      AgentCounters::add(shared_.counters.epochsStopped);
      rows_.push(make_row(RowKind::kShardStopped, host->id(),
                          host->view().epoch()->frontiers.stopped.load(),
                          host->replica()->fault().peer));
    }
    // Something done may allow more; nothing done waits for new input.
    host->dirty = host->dirty || done > 0;
    // What is deferred may wait for memory that readers had a hold of.
    if (host->has_deferred()) to_maintain_ = host->worked = true;
    host->worked = host->worked || done > 0;
    if (host->has_sent_blocks()) next_stepped_ = at + 1;
    work += done;
  }
  return work;
}

int Agent::collect_events() {
  size_t room = std::min(rows_.event_room(), kEventsPerPass);
  lacks_rows_ = lacks_rows_ || room == 0;
  size_t taken = 0;
  bool looks_on = false;
  // Each in turn begins, so that a busy shard does not starve the others of room.
  for (size_t i = 0; i < order_.size() && room > 0; i++) {
    ShardHost& host = *order_[(next_collector_ + i) % order_.size()];
    if (host.subscriptions == 0) continue;
    events_.clear();
    const bool more = host.store()->collect_events(events_, room);
    for (const SubscriptionEvent& event : events_)
      rows_.push(make_row(RowKind::kEvent, event.subscription, event.shard, event.epoch,
                          event.version, event.time),
                 event.quiet);
    // Of much that matches nothing there is no event, and the next look goes on behind it.
    looks_on = looks_on || (more && events_.size() < room);
    room -= std::min(room, events_.size());
    taken += events_.size();
  }
  next_collector_++;
  AgentCounters::add(shared_.counters.events, taken);
  return static_cast<int>(taken) + (looks_on ? 1 : 0);
}

int Agent::maintain(bool idle) {
  to_maintain_ = false;
  for (ShardHost* host : order_) {
    if (!host->is_open() || !(idle || host->worked)) continue;
    host->worked = host->store()->maintain(kCopySlice);
    to_maintain_ = to_maintain_ || host->worked;
  }
  return to_maintain_ ? 1 : 0;
}

void Agent::run_timers(Nanos now) {
  beat_at_ = now + config_.heartbeat;
  links_.beat(now, shared_.loop_beat.load(std::memory_order_relaxed));
  links_.close_silent(now);
  views_.dirty = true;
  ask_loop(now);
  for (ShardHost* host : order_) host->show_delivered();
  watch_lag(now);
  shared_.counters.show(transport_.counters());
  if (work_meter != nullptr) {
    work_meter->enter(Work::kProtocol);  // what was under way counts up to now
    shared_.counters.show(*work_meter);
  }
  look_at_disks();
  for (const auto& [id, log] : logs_) (void)log->close(log->rests());
  rows_.end_quiet();
}

// True: there may be something to do for it.
bool Agent::look_at_backlogs(Nanos now) {
  const auto& changed = links_.look_at_backlogs(now);
  for (const auto& [node, congested] : changed) {
    views_.set_congested(node, congested);
    for (ShardHost* host : order_) {
      if (!host->contains(node)) continue;
      host->replica()->set_congested(node, congested);
      host->dirty = true;
    }
  }
  if (links_.is_eased()) {
    for (ShardHost* host : order_) host->dirty = host->dirty || host->has_blocks();
  }
  return !changed.empty() || links_.is_eased();
}

void Agent::drop_retired() {
  for (Retired& item : retired_)
    std::erase_if(item.peers, [this](NodeId node) {
      return transport_.backlog(node) == 0 && !transport_.has_late_writes(node);
    });
  std::erase_if(retired_, [](const Retired& item) { return item.peers.empty(); });
}

void Agent::open_shard(ShardHost& host, std::shared_ptr<Store> store) {
  host.set_store(std::move(store));
  if (host.view().persistent()) logs_[host.id()] = std::make_unique<ShardLog>(host, *log_);
}

void Agent::close_shard(ShardHost& host) {
  subscriptions_ -= host.subscriptions;
  host.subscriptions = 0;
  logs_.erase(host.id());
  drop_pieces(host.id());
  host.set_store(nullptr);
}

void Agent::subscribe(ShardId shard, uint64_t id, std::string_view prefix, Version from,
                      Store::SubscriptionFrontier frontier, EventShare share, Token token) {
  ShardHost* host = find(shard);
  if (host == nullptr || !host->is_open()) return answer(token, Status::kNotAMember);
  Version from_min = 0;
  const Status status = host->store()->subscribe(id, prefix, from, frontier, &from_min, share);
  if (is_ok(status)) {
    host->subscriptions++;
    subscriptions_++;
  }
  if (status == Status::kCompacted) {
    const std::string text = "{\"version\":" + std::to_string(from_min - 1) + "}";
    const Bytes bytes = std::as_bytes(std::span(text));
    shared_.results.put(token, {bytes.begin(), bytes.end()});
  }
  answer(token, status);
}

void Agent::unsubscribe(ShardId shard, uint64_t id) {
  ShardHost* host = find(shard);
  if (host == nullptr || !host->is_open()) return;
  if (!host->store()->unsubscribe(id)) return;
  host->subscriptions--;
  subscriptions_--;
}

void Agent::answer(Token token, Status status) {
  rows_.push(make_row(RowKind::kResult, token, static_cast<uint8_t>(status)));
}

void Agent::answer(Token token, Status status, ResultBytes&& bytes) {
  if (is_ok(status) && !shared_.results.put(token, std::move(bytes))) status = Status::kOverloaded;
  answer(token, status);
}

void Agent::end() {
  for (ShardHost* host : order_) host->stop_epoch(Status::kClosed);
  // The writer syncs what it was given before it stops; its queue may be full meanwhile.
  const auto is_settled = [this] {
    return std::all_of(logs_.begin(), logs_.end(),
                       [](const auto& item) { return item.second->is_settled(); });
  };
  if (!logs_.empty()) run_logs(true);
  while (!is_settled()) {
    run_logs(true);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  rows_.publish();
}

}  // namespace freshet
