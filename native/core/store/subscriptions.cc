#include "native/core/store/subscriptions.h"

#include <algorithm>

#include "native/core/check.h"
#include "native/core/xxh3.h"

namespace freshet {
namespace {

constexpr int kFrontiers = 2;

uint64_t hash_of(std::string_view key, const KeyEntry* entry) {
  return entry == nullptr ? xxh3_64(key) : entry->hash;
}

}  // namespace

Subscriptions::Subscriptions(bool remembers) : remembers_(remembers) {
  for (Queue& queue : queues_) queue.due.reserve(kSubscriptionsMax);
}

Status Subscriptions::add(uint64_t id, std::string_view prefix, Version from, Frontier frontier,
                          Version newest, EventShare share) {
  if (subscribers_.size() >= kSubscriptionsMax) return Status::kOverloaded;
  for (const Subscriber& other : subscribers_) {
    if (other.id == id) return Status::kInvalidArgument;
  }
  for (int which = 0; which < kFrontiers; which++) fall_behind(which, newest);
  subscribers_.push_back(
      {id, std::string(prefix), frontier, share, std::max<Version>(from, 1), false, false, kNone});
  rebuild();
  return Status::kOk;
}

bool Subscriptions::remove(uint64_t id, Version newest) {
  const auto found = std::find_if(subscribers_.begin(), subscribers_.end(),
                                  [id](const Subscriber& other) { return other.id == id; });
  if (found == subscribers_.end()) return false;
  for (int which = 0; which < kFrontiers; which++) fall_behind(which, newest);
  subscribers_.erase(found);
  rebuild();
  return true;
}

// Everyone reads the slots from where the queue had got to; the queue is empty afterwards.
void Subscriptions::fall_behind(int which, Version newest) {
  Queue& queue = queues_[which];
  for (uint32_t i = 0; i < subscribers_.size(); i++) {
    Subscriber& subscriber = subscribers_[i];
    if (!subscriber.joined || static_cast<int>(subscriber.frontier) != which) continue;
    Version next = queue.offered + 1;
    if (queue.expanded) {
      // The head was given to the first of those it is due to; to others it never was due.
      const auto begin = queue.due.begin() + static_cast<ptrdiff_t>(queue.due_next);
      const Version head = queue.ring[queue.head].version;
      next = std::find(begin, queue.due.end(), i) == queue.due.end() ? head + 1 : head;
    }
    subscriber.cursor = std::max(subscriber.cursor, next);
    subscriber.joined = false;
    behind_++;
  }
  queue.missing_to = newest;
  queue.head = queue.count = 0;
  queue.due.clear();
  queue.due_next = 0;
  queue.expanded = false;
}

void Subscriptions::rebuild() {
  generation_++;
  nodes_.clear();
  behind_ = 0;
  shared_ = false;
  for (const Subscriber& subscriber : subscribers_) {
    shared_ = shared_ || subscriber.share.size > 0;
    nodes_.push_back({subscriber.prefix, kNone, {false, false}, {}});
    if (!subscriber.joined) behind_++;
  }
  std::sort(nodes_.begin(), nodes_.end(),
            [](const Node& a, const Node& b) { return a.prefix < b.prefix; });
  nodes_.erase(std::unique(nodes_.begin(), nodes_.end(),
                           [](const Node& a, const Node& b) { return a.prefix == b.prefix; }),
               nodes_.end());
  for (uint32_t i = 0; i < nodes_.size(); i++) {
    uint32_t parent = i == 0 ? kNone : i - 1;
    while (parent != kNone && !nodes_[i].prefix.starts_with(nodes_[parent].prefix))
      parent = nodes_[parent].parent;
    nodes_[i].parent = parent;
  }
  for (uint32_t i = 0; i < subscribers_.size(); i++) {
    Subscriber& subscriber = subscribers_[i];
    subscriber.node = match(subscriber.prefix);
    FRESHET_CHECK(nodes_[subscriber.node].prefix == subscriber.prefix);
    nodes_[subscriber.node].subscribers[static_cast<int>(subscriber.frontier)].push_back(i);
  }
  for (Node& node : nodes_) {  // parents come first
    for (int which = 0; which < kFrontiers; which++) {
      node.wanted[which] = !node.subscribers[which].empty() ||
                           (node.parent != kNone && nodes_[node.parent].wanted[which]);
    }
  }
}

// The longest node that `key` begins with. Every such node is <= key, and the greatest node <= key
// begins with each of them, so it or one of its ancestors is the one.
uint32_t Subscriptions::match(std::string_view key) const {
  const auto after =
      std::upper_bound(nodes_.begin(), nodes_.end(), key,
                       [](std::string_view text, const Node& node) { return text < node.prefix; });
  uint32_t node =
      after == nodes_.begin() ? kNone : static_cast<uint32_t>(after - nodes_.begin() - 1);
  while (node != kNone && !key.starts_with(nodes_[node].prefix)) node = nodes_[node].parent;
  return node;
}

uint32_t Subscriptions::match_of(std::string_view key, KeyEntry* entry) {
  if (entry == nullptr || !remembers_) return match(key);
  if (entry->match_generation != generation_) {
    entry->match = match(key);
    entry->match_generation = generation_;
  }
  return entry->match;
}

void Subscriptions::on_applied(std::string_view key, KeyEntry* entry, Version version, Epoch epoch,
                               Micros time) {
  const uint32_t node = match_of(key, entry);
  if (node == kNone) return;
  const uint64_t hash = shared_ ? hash_of(key, entry) : 0;
  for (int which = 0; which < kFrontiers; which++) {
    if (nodes_[node].wanted[which]) push(which, {version, time, epoch, node, hash});
  }
}

void Subscriptions::on_skipped(Version newest) {
  for (int which = 0; which < kFrontiers; which++) fall_behind(which, newest);
}

void Subscriptions::push(int which, const Matched& matched) {
  Queue& queue = queues_[which];
  if (queue.count == queue.ring.size()) {
    if (queue.ring.size() >= kEventQueueMax) {
      fall_behind(which, matched.version);
      return;
    }
    std::vector<Matched> larger(std::max<size_t>(1024, queue.ring.size() * 4));
    for (size_t i = 0; i < queue.count; i++)
      larger[i] = queue.ring[(queue.head + i) % queue.ring.size()];
    queue.ring = std::move(larger);
    queue.head = 0;
  }
  queue.ring[(queue.head + queue.count) % queue.ring.size()] = matched;
  queue.count++;
}

bool Subscriptions::drain(int which, Version frontier, std::vector<SubscriptionEvent>& events,
                          size_t max, ShardId shard) {
  Queue& queue = queues_[which];
  while (queue.count > 0) {
    const Matched& head = queue.ring[queue.head];
    if (head.version > frontier) break;
    if (!queue.expanded) {
      queue.due.clear();
      queue.due_next = 0;
      for (uint32_t node = head.node; node != kNone; node = nodes_[node].parent) {
        for (const uint32_t i : nodes_[node].subscribers[which]) {
          if (subscribers_[i].joined && subscribers_[i].cursor <= head.version)
            queue.due.push_back(i);
        }
      }
      queue.expanded = true;
      queue.offered = std::max(queue.offered, head.version - 1);
    }
    while (queue.due_next < queue.due.size()) {
      if (events.size() >= max) return true;
      const Subscriber& subscriber = subscribers_[queue.due[queue.due_next++]];
      events.push_back({subscriber.id, shard, head.epoch, head.version, head.time,
                        is_quiet(subscriber.share, head.hash)});
    }
    queue.expanded = false;
    queue.offered = head.version;
    queue.head = (queue.head + 1) % queue.ring.size();
    queue.count--;
  }
  queue.offered = std::max(queue.offered, frontier);
  return false;
}

bool Subscriptions::catch_up(Subscriber& subscriber, Source& source, Version frontier,
                             size_t& budget, std::vector<SubscriptionEvent>& events, size_t max,
                             ShardId shard) {
  const auto tell_gap = [&] {
    events.push_back({subscriber.id, shard, 0, subscriber.cursor, 0});
    subscriber.in_gap = false;
  };
  while (subscriber.cursor <= frontier) {
    if (events.size() >= max || budget == 0) return false;
    budget--;
    const VersionFacts facts = source.facts(subscriber.cursor);
    if (facts.gone) {
      subscriber.in_gap = true;
    } else if (subscriber.in_gap) {
      tell_gap();
      continue;
    } else if (!facts.key.empty() && facts.key.starts_with(subscriber.prefix)) {
      const bool quiet = is_quiet(subscriber.share, hash_of(facts.key, facts.entry));
      events.push_back({subscriber.id, shard, facts.epoch, subscriber.cursor, facts.time, quiet});
    }
    subscriber.cursor++;
  }
  if (!subscriber.in_gap) return true;
  if (events.size() >= max) return false;
  tell_gap();
  return true;
}

bool Subscriptions::collect(Source& source, Version delivered, Version persisted,
                            std::vector<SubscriptionEvent>& events, size_t max, ShardId shard) {
  if (subscribers_.empty()) return false;
  const size_t end = events.size() + max;
  const Version frontiers[kFrontiers] = {delivered, std::min(delivered, persisted)};
  bool more = false;
  for (int which = 0; which < kFrontiers; which++)
    more |= drain(which, frontiers[which], events, end, shard);
  if (behind_ == 0) return more;

  size_t budget = kScanMax;
  const size_t count = subscribers_.size();
  for (size_t n = 0; n < count && behind_ > 0; n++) {
    Subscriber& subscriber = subscribers_[(turn_ + n) % count];
    Queue& queue = queues_[static_cast<int>(subscriber.frontier)];
    if (subscriber.joined) continue;
    // A half expanded head does not know of this one: join when it is done.
    if (queue.expanded ||
        !catch_up(subscriber, source, queue.offered, budget, events, end, shard)) {
      more = true;
      continue;
    }
    // What was applied but not queued is still to come under the frontier: read it then.
    if (subscriber.cursor <= queue.missing_to) continue;
    subscriber.joined = true;
    behind_--;
  }
  turn_ = (turn_ + 1) % count;
  return more;
}

}  // namespace freshet
