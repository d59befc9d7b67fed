// What clients watch.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "native/agent/door/native_door.h"

namespace freshet {

using door::FrameType;

namespace {

constexpr size_t kEventsAtOnce = 4096;
constexpr Nanos kLookPause = 50'000'000;
constexpr auto kClients = Store::Audience::kClients;

// The newest version that the frontier lets be seen; of a shard without an epoch here: none.
std::optional<Version> newest_shown(const ShardHost& host, Store::SubscriptionFrontier frontier) {
  if (!host.is_running()) return std::nullopt;
  const Frontiers& frontiers = host.frontiers();
  return frontier == Store::SubscriptionFrontier::kPersisted ? frontiers.persisted_version.load()
                                                             : frontiers.delivered_version.load();
}

}  // namespace

void NativeDoor::take_watch(Connection& connection, Bytes bytes) {
  door::WatchFrame frame = {};
  if (bytes.size() >= sizeof frame) std::memcpy(&frame, bytes.data(), sizeof frame);
  if (bytes.size() < sizeof frame || bytes.size() - sizeof frame != frame.head.key_length)
    return connection.close();
  ShardHost* host = find_(frame.shard);
  Status status = connection.may_read() ? Status::kOk : Status::kUnauthenticated;
  const bool is_resumed = !std::isnan(frame.from);
  const bool is_place = frame.from >= 1 && frame.from <= door::kNumberMax && frame.epoch >= 0 &&
                        frame.epoch <= std::numeric_limits<Epoch>::max();
  const bool is_possible =
      frame.head.key_length <= kKeySizeMax && frame.credit >= 0 && (!is_resumed || is_place);
  if (is_ok(status) && !is_possible) status = Status::kInvalidArgument;
  if (is_ok(status) && (host == nullptr || !host->is_open())) status = Status::kNotAMember;
  if (is_ok(status) && watches_.size() - free_watches_.size() >= door::kWatchesMax)
    status = Status::kOverloaded;
  if (is_ok(status) && is_resumed && frame.epoch > 0 && frame.from > 1) {
    // Its numbers may have been used again since.
    const Found before = host->store()->get_version(static_cast<Version>(frame.from) - 1);
    if (before.epoch != static_cast<Epoch>(frame.epoch)) status = Status::kCompacted;
  }
  if (!is_ok(status)) return push_failed(connection, frame.number, status);
  if (free_watches_.empty()) {
    free_watches_.push_back(static_cast<uint32_t>(watches_.size()));
    watches_.emplace_back();
  }
  const uint32_t at = free_watches_.back();
  free_watches_.pop_back();
  Watch& watch = watches_[at];
  watch = {};
  watch.connection = &connection;
  watch.number = frame.number;
  watch.shard = frame.shard;
  watch.prefix.assign(reinterpret_cast<const char*>(bytes.data()) + sizeof frame,
                      frame.head.key_length);
  watch.frontier = frame.head.flags != 0 && host->view().persistent()
                       ? Store::SubscriptionFrontier::kPersisted
                       : Store::SubscriptionFrontier::kDelivered;
  watch.credit = frame.credit;
  watch.next = is_resumed ? static_cast<Version>(frame.from) : 0;
  // From now on: behind everything that was acknowledged anywhere before.
  Request& request = make_request(connection, frame.number, watch.starting);
  request.kind = RequestKind::kWatch;
  request.shard = frame.shard;
  request.watch = at;
  host->wait_current(watch.starting, true);
}

void NativeDoor::begin_watch(Token token, Status status) {
  const Request& request = requests_[token - kDoorTokens];
  const uint32_t at = request.watch;
  Connection& connection = *request.connection;
  const double number = request.number;
  ShardHost* host = find_(request.shard);
  answered(token);
  if (at == kNone) return;  // given up
  Watch& watch = watches_[at];
  watch.starting = 0;
  if (is_ok(status) && (host == nullptr || !host->is_open())) status = Status::kNotAMember;
  if (is_ok(status) && watch.next == 0) {
    const std::optional<Version> newest = newest_shown(*host, watch.frontier);
    if (newest) watch.next = *newest + 1;
    if (!newest) status = Status::kShardStopped;
  }
  if (is_ok(status)) status = listen(at, *host);
  if (!is_ok(status)) {
    free_watch(at);
    return push_failed(connection, number, status);
  }
  connection.push_frame(
      door::WatchingFrame{door::make_head(FrameType::kWatching, sizeof(door::WatchingFrame)),
                          number, static_cast<double>(watch.next)});
}

bool NativeDoor::has_room(const Watch& watch) const {
  return watch.told < watch.credit && watch.connection->unsent() < door::kSendMax;
}

Status NativeDoor::listen(uint32_t at, ShardHost& host) {
  Watch& watch = watches_[at];
  watch.generation = host.view().store_generation();
  if (!has_room(watch)) {
    paused_++;
    watch.paused = true;
    return Status::kOk;
  }
  const Status status = host.store()->subscribe(kDoorTokens + at, watch.prefix, watch.next,
                                                watch.frontier, nullptr, {}, kClients);
  watch.subscribed = is_ok(status);
  listeners_changed_ = true;
  return status;
}

void NativeDoor::stop_listening(uint32_t at) {
  Watch& watch = watches_[at];
  if (!watch.subscribed) return;
  watch.subscribed = false;
  listeners_changed_ = true;
  ShardHost* host = find_(watch.shard);
  // A store that took the place of its own knows nothing of it.
  if (host->is_open() && host->view().store_generation() == watch.generation)
    host->store()->unsubscribe(kDoorTokens + at, kClients);
}

void NativeDoor::free_watch(uint32_t at) {
  stop_listening(at);
  Watch& watch = watches_[at];
  if (watch.paused) paused_--;
  if (watch.starting != 0) requests_[watch.starting - kDoorTokens].watch = kNone;
  watch = {};
  free_watches_.push_back(at);
}

void NativeDoor::end_watch(uint32_t at, Status status) {
  const Watch& watch = watches_[at];
  watch.connection->push_frame(door::NumberFrame{
      door::make_head(FrameType::kEnded, sizeof(door::NumberFrame), static_cast<uint8_t>(status)),
      watch.number});
  free_watch(at);
}

uint32_t NativeDoor::find_watch(const Connection& connection, double number) const {
  for (uint32_t at = 0; at < watches_.size(); at++)
    if (watches_[at].connection == &connection && watches_[at].number == number) return at;
  return kNone;
}

void NativeDoor::take_unwatch(Connection& connection, Bytes bytes) {
  door::NumberFrame frame = {};
  if (bytes.size() != sizeof frame) return connection.close();
  std::memcpy(&frame, bytes.data(), sizeof frame);
  const uint32_t at = find_watch(connection, frame.number);
  if (at != kNone) free_watch(at);
}

void NativeDoor::take_credit(Connection& connection, Bytes bytes) {
  door::CreditFrame frame = {};
  if (bytes.size() != sizeof frame) return connection.close();
  std::memcpy(&frame, bytes.data(), sizeof frame);
  const uint32_t at = find_watch(connection, frame.number);
  if (at != kNone) watches_[at].credit = std::max(watches_[at].credit, frame.credit);
}

// Those whose client was behind, and is not any more; those whose shard is not here any more end.
void NativeDoor::resume_watches() {
  for (uint32_t at = 0; at < watches_.size(); at++) {
    Watch& watch = watches_[at];
    if (watch.connection == nullptr || watch.starting != 0) continue;
    ShardHost* host = find_(watch.shard);
    if (!host->is_open() || host->view().store_generation() != watch.generation) {
      end_watch(at, Status::kShardStopped);
    } else if (host->is_away()) {
      end_watch(at, Status::kNotAMember);
    } else if (watch.paused && has_room(watch)) {
      watch.paused = false;
      paused_--;
      const Status status = listen(at, *host);
      if (!is_ok(status)) end_watch(at, status);
    }
  }
}

void NativeDoor::list_shards() {
  listeners_changed_ = false;
  shards_.clear();
  for (const Watch& watch : watches_)
    if (watch.subscribed) shards_.push_back(watch.shard);
  std::sort(shards_.begin(), shards_.end());
  shards_.erase(std::unique(shards_.begin(), shards_.end()), shards_.end());
}

int NativeDoor::collect(Nanos now) {
  if (watches_.size() == free_watches_.size()) return 0;
  if (paused_ > 0 || now >= look_at_) {
    look_at_ = now + kLookPause;
    resume_watches();
  }
  if (listeners_changed_) list_shards();
  size_t told = 0;
  for (const ShardId shard : shards_) {
    ShardHost& host = *find_(shard);
    if (!host.is_open()) continue;
    events_.clear();
    const bool more = host.store()->collect_events(events_, kEventsAtOnce, kClients);
    for (const SubscriptionEvent& event : events_) tell(event, host);
    // Of much that nobody watches there is none, and the next look goes on behind it.
    told += events_.size() + (more ? 1 : 0);
  }
  return static_cast<int>(told);
}

void NativeDoor::tell(const SubscriptionEvent& event, ShardHost& host) {
  const auto at = static_cast<uint32_t>(event.subscription - kDoorTokens);
  Watch& watch = watches_[at];
  if (!watch.subscribed) return;  // heard again from watch.next on
  if (!has_room(watch)) {
    stop_listening(at);
    watch.paused = true;
    paused_++;
    return;
  }
  door::RecordFrame frame = {};
  frame.number = watch.number;
  frame.version = static_cast<double>(event.version);
  frame.event_time = std::nan("");
  watch.next = event.version;
  if (event.epoch == 0) {
    watch.told++;
    frame.head = door::make_head(FrameType::kEvent, sizeof frame);
    return watch.connection->push_frame(frame);
  }
  const Found found = host.store()->get_version(event.version);
  const bool is_here = is_ok(found.status) && found.record != nullptr;
  if (!is_here || found.value_size > door::kObjectSizeMax)
    return end_watch(at, is_here || is_ok(found.status) ? Status::kCold : found.status);
  const RecordView record(found.record);
  const RecordHeader& header = record.header();
  const std::string_view key = record.key();
  const size_t whole = sizeof frame + key.size() + record.meta().size() + record.value().size();
  frame.head = door::make_head(FrameType::kEvent, whole, static_cast<uint8_t>(header.kind),
                               static_cast<uint16_t>(key.size()));
  frame.epoch = found.epoch;
  frame.time = static_cast<double>(found.time);
  if (found.event_time != kNoTime) frame.event_time = static_cast<double>(found.event_time);
  if (header.kind != RecordKind::kTrigger)
    frame.previous_version_of_key = static_cast<double>(found.previous_version_of_key);
  frame.value_length = static_cast<uint32_t>(record.value().size());
  frame.meta_length = static_cast<uint16_t>(record.meta().size());
  watch.connection->push_frame(frame);
  watch.connection->push(std::as_bytes(std::span(key)));
  watch.connection->push(record.meta());
  watch.connection->push(record.value());
  watch.next = event.version + 1;
  watch.told++;
}

}  // namespace freshet
