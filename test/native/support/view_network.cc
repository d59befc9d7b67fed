#include "test/native/support/view_network.h"

#include <algorithm>
#include <cstring>

#include "native/core/xxh3.h"

namespace freshet::test {
namespace {

constexpr Nanos kDialMin = 5'000'000;
constexpr Nanos kDialMax = 60'000'000;

}  // namespace

ViewNetwork::ViewNetwork(EventHeap& events, SeededRandom& random, uint32_t tear_percent,
                         uint32_t together_percent)
    : events_(events),
      random_(random),
      tear_percent_(tear_percent),
      together_percent_(together_percent) {
  for (auto& row : ways_) {
    for (Way& item : row) item.latency = random_.between(10'000, 300'000);
  }
}

void ViewNetwork::begin(const MemberId& id, ViewEndpoint& endpoint) {
  nodes_[id.node] = {&endpoint, id, false};
  for (NodeId other = 1; other < nodes_.size(); other++) {
    if (other == id.node || nodes_[other].endpoint == nullptr) continue;
    // A peer that did not hear of the last one's end hears of it now.
    tell_down(id.node, other);
    dial(std::min(id.node, other), std::max(id.node, other));
  }
}

void ViewNetwork::end(NodeId node, bool reset) {
  nodes_[node] = {};
  for (NodeId other = 1; other < nodes_.size(); other++) {
    if (other == node) continue;
    joined_[std::min(node, other)][std::max(node, other)] = false;
    lose(node, other, true);
    way(other, node).items.clear();
    way(other, node).bytes = 0;
    way(other, node).up = way(other, node).due = false;
    if (reset) tell_down(node, other);
  }
}

void ViewNetwork::pause(NodeId node) { nodes_[node].paused = true; }

void ViewNetwork::resume(NodeId node) {
  nodes_[node].paused = false;
  for (NodeId other = 1; other < nodes_.size(); other++) {
    if (other == node) continue;
    // It takes in one connection after the other, and goes on in between.
    events_.after(random_.between(0, 2'000'000), [=, this] { pump(other, node); });
  }
}

void ViewNetwork::send(NodeId from, NodeId to, const RegionId& region, uint64_t offset,
                       Bytes bytes) {
  // Only over the connection that it was told of.
  const bool joined = joined_[std::min(from, to)][std::max(from, to)];
  if (!joined || !way(to, from).up || nodes_[from].paused) return;
  Item item{Item::Kind::kWrite, 0, {}, region, offset, {bytes.begin(), bytes.end()}};
  if (random_.chance(tear_percent_) && bytes.size() >= 16) {
    // Some of its cells first, then all.
    Item part = item;
    const size_t cells = bytes.size() / 8;
    part.bytes.resize(8 * (1 + random_.below(cells - 1)));
    if (random_.chance(50)) {
      const size_t begin = part.bytes.size();
      part.offset += begin;
      part.bytes.assign(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.end());
    }
    push(from, to, std::move(part), delay(way(from, to)));
  }
  push(from, to, std::move(item), delay(way(from, to)));
}

void ViewNetwork::cut(NodeId from, NodeId to) { way(from, to).cut = true; }

void ViewNetwork::heal(NodeId from, NodeId to) {
  way(from, to).cut = false;
  pump(from, to);
}

void ViewNetwork::drop(NodeId a, NodeId b) {
  bool& joined = joined_[std::min(a, b)][std::max(a, b)];
  if (!joined) return;
  joined = false;
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    lose(from, to, false);
    tell_down(from, to);
  }
  dial(std::min(a, b), std::max(a, b));
}

bool ViewNetwork::is_connected(NodeId a, NodeId b) const {
  return joined_[std::min(a, b)][std::max(a, b)] && way(a, b).up && way(b, a).up &&
         !way(a, b).cut && !way(b, a).cut;
}

// With `some` those that were sent first arrive.
void ViewNetwork::lose(NodeId from, NodeId to, bool some) {
  auto& items = way(from, to).items;
  size_t keep = 0;
  while (keep < items.size() && items[keep].kind != Item::Kind::kWrite) keep++;
  if (some && keep < items.size()) keep += random_.below(items.size() - keep + 1);
  // What tells of connections is kept.
  for (size_t i = keep; i < items.size(); i++) {
    if (items[i].kind != Item::Kind::kWrite) items[keep++] = std::move(items[i]);
  }
  items.erase(items.begin() + static_cast<ptrdiff_t>(keep), items.end());
  way(from, to).bytes = 0;
  for (const Item& item : items) way(from, to).bytes += item.bytes.size();
}

void ViewNetwork::tell_down(NodeId from, NodeId to) {
  Way& direction = way(from, to);
  if (!direction.due || nodes_[to].endpoint == nullptr) return;
  direction.due = false;
  push(from, to, {Item::Kind::kDown, 0, {}, {}, 0, {}}, random_.between(10'000, 30'000'000));
}

// Tries until both are there and nothing is cut.
void ViewNetwork::dial(NodeId a, NodeId b) {
  if (dials_[a][b]) return;
  dials_[a][b] = true;
  events_.after(random_.between(kDialMin, kDialMax), [=, this] {
    dials_[a][b] = false;
    if (nodes_[a].endpoint == nullptr || nodes_[b].endpoint == nullptr || joined_[a][b]) return;
    const bool cut = way(a, b).cut || way(b, a).cut;
    // Nobody has two at a time: the end of the last one has to be seen first.
    const bool old = way(a, b).up || way(b, a).up;
    if (cut || old || nodes_[a].paused || nodes_[b].paused) return dial(a, b);
    joined_[a][b] = true;
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      way(from, to).due = true;
      push(from, to, {Item::Kind::kUp, 0, nodes_[from].id, {}, 0, {}},
           random_.between(10'000, 2'000'000));
    }
  });
}

Nanos ViewNetwork::delay(const Way& direction) {
  const bool follows = !direction.items.empty() && direction.last_sent == events_.now();
  if (together_percent_ > 0 && follows && random_.chance(together_percent_)) return 0;
  const Nanos jitter = random_.chance(2) ? 8'000'000 : direction.latency;
  return direction.latency + random_.between(0, jitter);
}

void ViewNetwork::push(NodeId from, NodeId to, Item item, Nanos delay) {
  Way& direction = way(from, to);
  direction.last = item.at = std::max(direction.last, events_.now() + delay);
  direction.last_sent = events_.now();
  direction.bytes += item.bytes.size();
  direction.items.push_back(std::move(item));
  if (direction.items.size() == 1) pump(from, to);
}

// Takes what has arrived, and comes again for what follows.
void ViewNetwork::pump(NodeId from, NodeId to) {
  Way& direction = way(from, to);
  while (!direction.items.empty()) {
    if (nodes_[to].endpoint == nullptr || nodes_[to].paused) return;
    const Item& head = direction.items.front();
    if (direction.cut && head.kind == Item::Kind::kWrite) return;
    if (head.at > events_.now()) {
      if (direction.pumps_at <= head.at && direction.pumps_at > events_.now()) return;
      direction.pumps_at = head.at;
      events_.at(head.at, [=, this] { pump(from, to); });
      return;
    }
    const Item item = std::move(direction.items.front());
    direction.items.pop_front();
    const size_t before = direction.bytes;
    direction.bytes -= item.bytes.size();
    const bool relieves = std::ranges::any_of(
        relief_, [&](size_t mark) { return before > mark && direction.bytes <= mark; });
    take(from, to, item);
    if (relieves && nodes_[from].endpoint != nullptr) nodes_[from].endpoint->on_relieved();
  }
}

void ViewNetwork::take(NodeId from, NodeId to, const Item& item) {
  mix(static_cast<uint64_t>(events_.now()));
  mix(uint64_t{from} << 32 | to);
  ViewEndpoint& endpoint = *nodes_[to].endpoint;
  if (item.kind == Item::Kind::kUp) {
    way(from, to).up = true;
    endpoint.on_link_up(item.id);
  } else if (item.kind == Item::Kind::kDown) {
    way(from, to).up = false;
    endpoint.on_link_down(from);
  } else {
    mix(xxh3_64(item.bytes.data(), item.bytes.size()));
    endpoint.on_write(from, item.region, item.offset, item.bytes);
  }
}

void ViewNetwork::mix(uint64_t value) { trace_ = (trace_ ^ value) * 0x100000001b3ull; }

}  // namespace freshet::test
