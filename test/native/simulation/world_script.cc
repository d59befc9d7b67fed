#include "test/native/simulation/world_script.h"

#include <algorithm>

#include "test/native/simulation/world.h"

namespace freshet::test {
namespace {

constexpr Nanos kScriptSecond = 1'000'000'000;
constexpr Nanos kPatienceForStep = 40 * kScriptSecond;
constexpr Nanos kAfterLast = 5 * kScriptSecond;

}  // namespace

void WorldScript::begin() {
  left_ = world_.config.script.size();
  for (const WorldAct& what : world_.config.script) {
    world_.events.at(what.at, [this, what] {
      if (what.waits) {
        waiting_.push_back(what);
        return;
      }
      for (NodeId node = 1; node <= world_.config.nodes; node++)
        if (is_meant(what, world_.at(node))) act(what, world_.at(node));
      count_down();
    });
    if (!what.waits) continue;
    world_.events.at(what.at + kPatienceForStep, [this, what] {
      const bool waits =
          std::ranges::any_of(waiting_, [&](const WorldAct& other) { return other.at == what.at; });
      if (waits) world_.ledger.violation("nobody came to the step that the script waits for");
    });
  }
}

bool WorldScript::is_meant(const WorldAct& what, const WorldNode& node) const {
  if (what.node != kWhoLeads) return what.node == 0 || what.node == node.node();
  const Membership* membership = node.membership();
  return membership != nullptr && !membership->view().members.empty() &&
         membership->view().members.front().id.node == node.node();
}

void WorldScript::on_pass(WorldNode& node) {
  if (waiting_.empty()) return;
  const auto due = std::ranges::find_if(waiting_, [&](const WorldAct& what) {
    return is_meant(what, node) && node.step_now() == what.step;
  });
  if (due == waiting_.end()) return;
  const WorldAct what = *due;
  waiting_.erase(due);
  act(what, node);
  count_down();
}

void WorldScript::count_down() {
  if (--left_ > 0) return;
  world_.events.after(kAfterLast, [this] { ended_at_ = world_.events.now(); });
}

void WorldScript::act(const WorldAct& what, WorldNode& node) {
  world_.note("script: act " + std::to_string(static_cast<int>(what.kind)) + " at node " +
              std::to_string(node.node()));
  const auto resume = [&node, life = node.life()] {
    if (node.life() == life) node.resume();
  };
  switch (what.kind) {
    case WorldAct::Kind::kKill:
      return world_.lose(node, WorldNode::Death::kKill, what.time);
    case WorldAct::Kind::kPower:
      return world_.lose(node, WorldNode::Death::kPower, what.time);
    case WorldAct::Kind::kWipe:
      world_.lose(node, WorldNode::Death::kKill, what.time);
      return node.wipe();
    case WorldAct::Kind::kPause:
      node.pause();
      return world_.events.after(what.time, resume);
    case WorldAct::Kind::kStall:
      return node.stall(what.time);
    case WorldAct::Kind::kIsolate:
      for (NodeId other = 1; other <= world_.config.nodes; other++) {
        cut(other, node.node(), what.time);
        cut(node.node(), other, what.time);
      }
      return;
    case WorldAct::Kind::kDrop:
      for (NodeId other = 1; other <= world_.config.nodes; other++)
        if (other != node.node()) world_.network.drop(node.node(), other);
      return;
    case WorldAct::Kind::kClock:
      return node.step_wall(what.time / 1000);
    case WorldAct::Kind::kBehead:
      if (WorldNode* leader = leader_of(node))
        return world_.lose(*leader, WorldNode::Death::kKill, what.time);
      return world_.ledger.violation("nobody leads who could be killed");
    case WorldAct::Kind::kExpectWithout:
      return expect_without(node.node(), what.time);
    case WorldAct::Kind::kExpectOthers:
      return world_.probes.expect_others(node.node(), what.time);
    case WorldAct::Kind::kDeafen:
      for (NodeId other = 1; other <= world_.config.nodes; other++)
        cut(other, node.node(), what.time);
      return;
    case WorldAct::Kind::kSlowDisk:
      return node.slow_disk(what.time);
    case WorldAct::Kind::kFailDisk:
      node.fail_disk(true);
      return world_.events.after(what.time, [&node, life = node.life()] {
        if (node.life() == life) node.fail_disk(false);
      });
  }
}

// Of its view; one that has none yet joins the view of another.
WorldNode* WorldScript::leader_of(const WorldNode& node) {
  const auto view_of = [](const WorldNode& one) -> const View* {
    const Membership* membership = one.membership();
    const bool none = membership == nullptr || membership->view().members.empty();
    return none ? nullptr : &membership->view();
  };
  const View* view = view_of(node);
  for (NodeId other = 1; view == nullptr && other <= world_.config.nodes; other++)
    view = view_of(world_.at(other));
  return view == nullptr ? nullptr : &world_.at(view->members.front().id.node);
}

void WorldScript::cut(NodeId from, NodeId to, Nanos time) {
  if (from == to) return;
  world_.network.cut(from, to);
  world_.events.after(time, [=, this] { world_.network.heal(from, to); });
}

void WorldScript::expect_without(NodeId gone, Nanos time) {
  for (NodeId node = 1; node <= world_.config.nodes; node++) {
    const Membership* membership = world_.at(node).membership();
    if (node == gone || membership == nullptr) continue;
    const auto& members = membership->view().members;
    if (std::ranges::any_of(members, [&](const ViewMember& one) { return one.id.node == gone; }))
      world_.ledger.violation("node " + std::to_string(node) + " still has node " +
                              std::to_string(gone) + " in its view");
  }
  for (const WorldShard& shard : world_.config.shards) {
    if (!shard.raw && world_.events.now() - world_.clients.last_answer(shard.shard) > time)
      world_.ledger.violation("shard " + std::to_string(shard.shard) + " was not answered");
  }
}

}  // namespace freshet::test
