#include "test/native/simulation/world_faults.h"

#include <algorithm>

#include "test/native/simulation/world.h"

namespace freshet::test {
namespace {

constexpr Nanos kFaultMilli = 1'000'000;
constexpr Nanos kArmedMax = 12'000 * kFaultMilli;
constexpr int kTriesMax = 4;  // of the fault that the seed is for
constexpr Nanos kFullTime = 5'000 * kFaultMilli;

bool is_of_restart(WorldStep step) { return step >= WorldStep::kWaiting; }
bool is_of_join(WorldStep step) { return step >= WorldStep::kAsking && !is_of_restart(step); }

}  // namespace

void WorldFaults::begin() {
  left_ = world_.config.faults;
  arm();
}

void WorldFaults::arm() {
  if (left_ == 0) return end();
  left_--;
  auto fault = static_cast<WorldFault>(world_.random.below(kWorldFaults));
  auto step = static_cast<WorldStep>(world_.random.below(kWorldSteps));
  const bool wanted = count_ == 0 && world_.config.fault != WorldFault::kNone;
  if (wanted) {
    fault = world_.config.fault;
    step = world_.config.step;
  }
  count_++;
  armed_ = {fault, step, world_.events.now() + kArmedMax, wanted ? kTriesMax : 1};
  provoke(step);
}

// Often so that several are missed at once.
void WorldFaults::provoke(WorldStep step) {
  if (step == WorldStep::kIdle) return;
  const auto death = world_.random.chance(50) ? WorldNode::Death::kKill : WorldNode::Death::kPower;
  if (is_of_restart(step)) {
    for (NodeId node = 1; node <= world_.config.nodes; node++)
      world_.lose(world_.at(node), death, world_.random.between(0, 1'500 * kFaultMilli));
    return;
  }
  const Nanos back = is_of_join(step)
                         ? world_.random.between(200 * kFaultMilli, 2'000 * kFaultMilli)
                         : draw_time();
  if (is_of_join(step) || world_.random.chance(60)) {
    world_.lose(draw_node(), death, back);
  } else {
    cut(draw_node().node());
  }
}

void WorldFaults::on_pass(WorldNode& node) {
  if (!armed_) return;
  const bool due = world_.events.now() >= armed_->until;
  const bool meets = node.step_now() == armed_->step;
  if (due && !meets && --armed_->tries > 0) {
    armed_->until = world_.events.now() + kArmedMax;
    return provoke(armed_->step);
  }
  if (!due && (!meets || world_.random.chance(25))) return;
  const WorldFault fault = armed_->fault;
  armed_.reset();
  strike(fault, node);
  // Often so soon that the next one meets what this one began.
  const Nanos most = (world_.random.chance(50) ? 400 : 6'000) * kFaultMilli;
  world_.events.after(world_.random.between(0, most), [this] { arm(); });
}

void WorldFaults::strike(WorldFault fault, WorldNode& victim) {
  const WorldStep step = victim.step_now();
  table_[static_cast<size_t>(fault)][static_cast<size_t>(step)]++;
  world_.note("fault " + std::to_string(static_cast<int>(fault)) + " at node " +
              std::to_string(victim.node()) + " in step " + std::to_string(static_cast<int>(step)));
  switch (fault) {
    case WorldFault::kKill:
      return world_.lose(victim, WorldNode::Death::kKill, draw_time());
    case WorldFault::kPower:
      return world_.lose(victim, WorldNode::Death::kPower, draw_time());
    case WorldFault::kPause:
      victim.pause();
      world_.events.after(draw_time(), [&victim, life = victim.life()] {
        if (victim.life() == life) victim.resume();
      });
      return;
    case WorldFault::kStall:
      return victim.stall(world_.random.between(100, 8'000) * kFaultMilli);
    case WorldFault::kCut:
      return cut(victim.node());
    case WorldFault::kDrop:
      for (NodeId other = 1; other <= world_.config.nodes; other++)
        if (other != victim.node() && world_.random.chance(70))
          world_.network.drop(victim.node(), other);
      return;
    case WorldFault::kSlowDisk:
      return victim.slow_disk(draw_time());
    case WorldFault::kFullDisk:
      victim.fill_disk(world_.random.below(100'000));
      world_.events.after(kFullTime, [this, &victim, life = victim.life()] {
        if (victim.life() != life) return;
        if (world_.random.chance(50)) return victim.fill_disk(UINT64_MAX);
        world_.lose(victim, WorldNode::Death::kKill, draw_time());
      });
      return;
    case WorldFault::kCorrupt:
      return corrupt(victim);
    case WorldFault::kClock:
      return victim.step_wall(world_.random.between(-60'000'000, 60'000'000));
    case WorldFault::kNone:
      return;
  }
}

// One or both ways, from one or from all or from half of the others, with or without a reset.
void WorldFaults::cut(NodeId victim) {
  const Nanos time = draw_time();
  const uint64_t ways = world_.random.below(4);  // 0: out, 1: in, else both
  const bool reset = world_.random.chance(30);
  const uint64_t extent = world_.random.below(3);
  const NodeId only = draw_node().node();
  uint64_t side = extent == 1 ? world_.random.next() : 0;
  side |= uint64_t{1} << victim;
  for (NodeId a = 1; a <= world_.config.nodes; a++) {
    for (NodeId b = 1; b <= world_.config.nodes; b++) {
      const bool parts = (side >> a & 1) != 0 && (side >> b & 1) == 0;
      if (!parts || (extent == 0 && b != only)) continue;
      if (ways != 1) cut_way(a, b, time);
      if (ways != 0) cut_way(b, a, time);
      if (reset) world_.network.drop(a, b);
    }
  }
}

void WorldFaults::cut_way(NodeId from, NodeId to, Nanos time) {
  world_.network.cut(from, to);
  world_.events.after(time, [=, this] { world_.network.heal(from, to); });
}

// Of one disk in a run: with two of them the last good copy may be gone.
void WorldFaults::corrupt(WorldNode& victim) {
  if (corrupted_ != 0 && corrupted_ != victim.node()) return;
  for (const WorldShard& shard : world_.config.shards) {
    const auto& members = shard.members;
    const bool held = std::ranges::find(members, victim.node()) != members.end();
    if (!shard.persistent || !held || members.size() < 3) continue;
    if (!victim.corrupt(shard.shard, world_.random.next())) continue;
    corrupted_ = victim.node();
    return;
  }
}

WorldNode& WorldFaults::draw_node() {
  return world_.at(static_cast<NodeId>(1 + world_.random.below(world_.config.nodes)));
}

Nanos WorldFaults::draw_time() {
  const uint64_t draw = world_.random.below(100);
  const int64_t most = draw < 35 ? 300 : draw < 80 ? 2'500 : 7'000;
  return world_.random.between(10, most) * kFaultMilli;
}

// All that was cut is healed, all that stood still goes on; who is gone comes back in its time.
void WorldFaults::end() {
  world_.events.after(world_.random.between(0, 3'000) * kFaultMilli, [this] {
    for (NodeId a = 1; a <= world_.config.nodes; a++) {
      for (NodeId b = 1; b <= world_.config.nodes; b++)
        if (a != b) world_.network.heal(a, b);
      world_.at(a).resume();
      world_.at(a).stall(0);
      world_.at(a).slow_disk(0);
    }
    ended_at_ = world_.events.now();
    world_.note("faults have ended");
  });
}

}  // namespace freshet::test
