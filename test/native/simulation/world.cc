#include "test/native/simulation/world.h"

#include <algorithm>
#include <cstdio>

namespace freshet::test {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kWatch = kSecond / 10;
constexpr Nanos kSettleMax = 180 * kSecond;  // after the last fault
constexpr Nanos kRest = 2 * kSecond;         // all is answered, nothing is written any more
constexpr uint32_t kTogetherPercent = 80;    // of the writes of a pass

}  // namespace

World::World(WorldConfig given)
    : config(std::move(given)),
      random(config.seed * 2 + 1),
      wakes_within(Nanos{40'000} << random.below(8)),
      network(events, random, config.tear_percent, kTogetherPercent),
      ledger(*this),
      clients(*this),
      raw(*this),
      catalog(*this),
      faults(*this),
      probes(*this),
      script(*this) {
  network.set_relief({config.congested / 4, config.congested / kBusyDivisor});
  for (NodeId node = 1; node <= config.nodes; node++)
    nodes_.push_back(std::make_shared<WorldNode>(*this, node));
  for (const auto& node : nodes_) start(node->node(), random.between(0, kSecond));
  events.after(2 * kSecond, [this] {
    clients.begin();
    raw.begin();
    catalog.begin();
  });
  if (config.script.empty()) {
    events.after(3 * kSecond, [this] { faults.begin(); });
  } else {
    script.begin();
  }
  for (uint64_t i = 0; i < config.moves; i++)
    events.after(random.between(3 * kSecond, config.time), [this] { ask_for_move(); });
  for (uint64_t i = 0; i < config.layouts; i++)
    events.after(random.between(3 * kSecond, config.time), [this, i] { ask_for_layout(i); });
  watch();
}

World::~World() {
  for (const auto& node : nodes_)
    if (node->member() != nullptr) node->kill(WorldNode::Death::kKill, false);
}

LoopEvent World::run() {
  while (told_.empty() && !done_ && ledger.violations.empty()) events.run_next();
  if (!ledger.violations.empty() || (done_ && told_.empty())) {
    done_ = true;
    return {};
  }
  const LoopEvent event = told_.front();
  told_.pop_front();
  return event;
}

uint64_t World::trace() const {
  return network.trace() ^ (passes * 0x9E3779B97F4A7C15ull) ^ (clients.answered() << 40);
}

void World::start(NodeId node, Nanos delay) {
  events.after(delay, [this, node] {
    WorldNode& machine = at(node);
    if (machine.member() != nullptr || machine.starting) return;
    machine.starting = true;
    tell({LoopEvent::Kind::kStart, node, 0, 0});
  });
}

bool World::take_row(WorldNode& node, const Row& row) {
  const auto kind = static_cast<RowKind>(row[0]);
  const bool answers = kind == RowKind::kCompletion || kind == RowKind::kReleased;
  const auto token = static_cast<Token>(row[1]);
  if (!answers || !WorldClients::is_mine(token)) return false;
  if (kind != RowKind::kCompletion) {
    clients.on_released(token);
    return true;
  }
  if (WorldProbes::is_mine(token)) {
    probes.on_completion(row);
  } else if (WorldRaw::is_mine(token)) {
    raw.on_completion(row);
  } else {
    clients.on_completion(node, row);
  }
  return true;
}

void World::on_pass(WorldNode& node, bool worked) {
  passes++;
  if (worked) ledger.look_at(node);
  clients.on_pass();
  raw.look_at(node);
  faults.on_pass(node);
  script.on_pass(node);
}

void World::lose(WorldNode& node, WorldNode::Death death, Nanos back_after) {
  if (node.member() == nullptr && !node.starting) return;
  note("node " + std::to_string(node.node()) + " dies");
  node.kill(death, death == WorldNode::Death::kKill || random.chance(30));
  start(node.node(), back_after);
}

void World::on_failed(NodeId node, const std::string& why) {
  note("node " + std::to_string(node) + " failed: " + why);
  at(node).kill(WorldNode::Death::kKill, true);
  start(node, random.between(kSecond / 10, kSecond));
}

void World::note(const std::string& text) {
  if (config.trace)
    std::printf("%9.4f %s\n", static_cast<double>(events.now()) / 1e9, text.c_str());
}

// Once the faults have ended everybody has to come together, and everything to be answered.
void World::watch() {
  const Nanos ended = config.script.empty() ? faults.ended_at() : script.ended_at();
  if (ended == 0) {
    rests_since_ = events.now();
  } else {
    const bool enough = events.now() >= config.time && clients.answered() >= config.operations;
    const bool settled = is_settled();
    if (settled && settled_after == 0) settled_after = events.now() - ended;
    if (settled && enough) {
      clients.end();
      raw.end();
      catalog.end();
    }
    const bool answered =
        clients.are_all_answered() && raw.are_all_answered() && catalog.are_all_answered();
    bool rests = settled && enough && answered;
    for (NodeId node = 1; node <= config.nodes; node++) rests = rests && !at(node).turns_late();
    if (!rests) rests_since_ = events.now();
    if (rests && events.now() - rests_since_ >= kRest) return finish();
    const Nanos since = std::max(ended, config.time);
    if (events.now() - since > kSettleMax) {
      ledger.violation("not at rest long after the last fault:\n" + explain());
      return;
    }
  }
  events.after(kWatch, [this] { watch(); });
}

bool World::is_settled() const {
  const Membership* first = nodes_.front()->membership();
  if (first == nullptr || first->view().members.size() != config.nodes) return false;
  return std::ranges::all_of(nodes_,
                             [&](const auto& node) { return is_settled(*node, first->view()); });
}

// At rest in this view, with all shards that it gives the node; each has as many members as every
// layout wants.
bool World::is_settled(const WorldNode& node, const View& view) const {
  const Membership* membership = node.membership();
  if (membership == nullptr || membership->view() != view) return false;
  if (membership->proposal() != nullptr || membership->suspects() != 0) return false;
  const Seat seat = view.seat_of(membership->me());
  const auto runs = [&](ShardId id, size_t copies) {
    const ViewShard* planned = view.find(id);
    if (planned == nullptr || planned->closed || planned->members.size() < copies) return false;
    if (!has_seat(planned->seats(), seat)) return true;
    ShardHost* host = node.host(id);
    return host != nullptr && host->is_running() && host->epoch() == planned->epoch &&
           host->replica()->end_phase() == EndPhase::kRunning;
  };
  const auto is_there = [&](const WorldShard& shard) { return runs(shard.shard, shard.copies); };
  return std::ranges::all_of(config.shards, is_there) &&
         std::ranges::all_of(clients.extras(), [&](ShardId shard) { return runs(shard, 1); });
}

void World::finish() {
  const View& view = nodes_.front()->membership()->view();
  for (const ViewShard& shard : view.shards) {
    if (!clients.is_used(shard.shard)) continue;
    for (const Seat seat : shard.members) ledger.check_end(at(view.at(seat)->id.node), shard.shard);
  }
  clients.check();
  done_ = true;
}

// From any member that has a place in a shard to any that has none, as one of them sees it.
void World::ask_for_move() {
  const WorldNode& asked = at(static_cast<NodeId>(1 + random.below(config.nodes)));
  const Membership* membership = asked.membership();
  if (membership == nullptr || membership->view().number == 0) return;
  const View& view = membership->view();
  const ViewShard& shard = view.shards[random.below(view.shards.size())];
  if (shard.closed || shard.members.size() == view.members.size()) return;
  const Seat from = shard.members[random.below(shard.members.size())];
  std::vector<NodeId> others;
  for (const ViewMember& member : view.members)
    if (!has_seat(shard.seats(), member.seat)) others.push_back(member.id.node);
  const NodeId to = others[random.below(others.size())];
  tell({LoopEvent::Kind::kMove, asked.node(), shard.shard, view.at(from)->id.node << 8 | to});
}

void World::ask_for_layout(uint64_t nth) {
  const auto node = static_cast<NodeId>(1 + random.below(config.nodes));
  if (at(node).member() == nullptr) return;
  tell({LoopEvent::Kind::kLayout, node, nth, 0});
  catalog.on_layout();
}

std::string World::explain() const {
  std::string text;
  for (const auto& node : nodes_) text += node->describe() + "\n";
  return text + clients.describe() + catalog.describe();
}

}  // namespace freshet::test
