#include "test/native/simulation/world_faults.h"

#include <algorithm>

#include "test/native/simulation/world.h"

namespace freshet::test {
namespace {

constexpr Nanos kFaultMilli = 1'000'000;
constexpr Nanos kArmedMax = 12'000 * kFaultMilli;
constexpr int kTriesOfFirst = 4;  // of the faults that are aimed at a step
constexpr int kTriesOfNext = 2;
constexpr uint64_t kFloodOperations = 60;
constexpr Nanos kFullTime = 5'000 * kFaultMilli;
constexpr int kMovesAsked = 6;
constexpr Nanos kMovePause = 500 * kFaultMilli;
constexpr Nanos kRestartTime = 1'500 * kFaultMilli;  // in which all that were lost come back
constexpr Nanos kBehindTime = 1'200 * kFaultMilli;   // what one lacks of the others' histories

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
  const bool aimed = aim(fault, step);
  const int tries = !aimed ? 1 : count_ == 0 ? kTriesOfFirst : kTriesOfNext;
  count_++;
  armed_ = {fault, step, world_.events.now() + kArmedMax, tries, false};
  provoke(step);
}

// At cells of the table that the seed's number gives, so that many seeds go through all of them.
bool WorldFaults::aim(WorldFault& fault, WorldStep& step) const {
  const WorldConfig& config = world_.config;
  if (config.fault == WorldFault::kNone || (count_ > 0 && config.stride == 0)) return false;
  constexpr size_t kCells = kWorldFaults * kWorldSteps;
  const size_t first =
      static_cast<size_t>(config.step) * kWorldFaults + static_cast<size_t>(config.fault);
  const size_t cell = (first + count_ * config.stride) % kCells;
  fault = static_cast<WorldFault>(cell % kWorldFaults);
  step = static_cast<WorldStep>(cell / kWorldFaults);
  return true;
}

// Often so that several are missed at once.
void WorldFaults::provoke(WorldStep step) {
  if (step == WorldStep::kIdle) return;
  if (is_of_restart(step)) return provoke_restart(step);
  if (step == WorldStep::kAcked) return provoke_moves();
  const Nanos back = is_of_join(step)
                         ? world_.random.between(200 * kFaultMilli, 2'000 * kFaultMilli)
                         : draw_time();
  if (is_of_join(step) || world_.random.chance(60)) {
    world_.lose(draw_node(), draw_death(), back);
  } else {
    cut(draw_node().node());
  }
}

// Who is in no shard that is moved acknowledges the view and goes on.
void WorldFaults::provoke_moves() {
  for (int i = 0; i < kMovesAsked; i++)
    world_.events.after(i * kMovePause, [this] { world_.ask_for_move(); });
}

// All are lost: in the middle of a change of view, if its view is to be adopted; so that one has
// less on its disk than the others, if it is to be filled from them.
void WorldFaults::provoke_restart(WorldStep step) {
  if (step == WorldStep::kAdopting || step == WorldStep::kAdopted) {
    armed_->restarts_when_prepared = true;
    return world_.lose(draw_node(), WorldNode::Death::kKill, draw_time());
  }
  if (step != WorldStep::kFillingAll && step != WorldStep::kFillingMine)
    return lose_all(draw_death());
  WorldNode& behind = draw_node();
  behind.slow_disk(2 * kBehindTime);
  world_.events.after(kBehindTime, [this, &behind] {
    world_.lose(behind, WorldNode::Death::kPower, world_.random.between(0, kRestartTime));
    lose_all(WorldNode::Death::kKill);
  });
}

void WorldFaults::lose_all(WorldNode::Death death) {
  for (NodeId node = 1; node <= world_.config.nodes; node++)
    world_.lose(world_.at(node), death, world_.random.between(0, kRestartTime));
}

void WorldFaults::on_pass(WorldNode& node) {
  if (!armed_) return;
  if (armed_->restarts_when_prepared && node.step_now() == WorldStep::kPrepared) {
    armed_->restarts_when_prepared = false;
    return lose_all(WorldNode::Death::kKill);
  }
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
  if (world_.random.chance(50)) world_.clients.flood(kFloodOperations);
  const WorldStep step = victim.step_now();
  world_.note("fault " + std::to_string(static_cast<int>(fault)) + " at node " +
              std::to_string(victim.node()) + " in step " + std::to_string(static_cast<int>(step)));
  // Where there is nothing to corrupt: a fault in any case.
  const WorldFault done = act(fault, victim) ? fault : WorldFault::kKill;
  if (done != fault) (void)act(done, victim);
  table_[static_cast<size_t>(done)][static_cast<size_t>(step)]++;
}

bool WorldFaults::act(WorldFault fault, WorldNode& victim) {
  switch (fault) {
    case WorldFault::kKill:
      world_.lose(victim, WorldNode::Death::kKill, draw_time());
      return true;
    case WorldFault::kPower:
      world_.lose(victim, WorldNode::Death::kPower, draw_time());
      return true;
    case WorldFault::kPause:
      victim.pause();
      world_.events.after(draw_time(), [&victim, life = victim.life()] {
        if (victim.life() == life) victim.resume();
      });
      return true;
    case WorldFault::kStall:
      victim.stall(world_.random.between(100, 8'000) * kFaultMilli);
      return true;
    case WorldFault::kCut:
      cut(victim.node());
      return true;
    case WorldFault::kDrop:
      for (NodeId other = 1; other <= world_.config.nodes; other++)
        if (other != victim.node() && world_.random.chance(70))
          world_.network.drop(victim.node(), other);
      return true;
    case WorldFault::kSlowDisk:
      victim.slow_disk(draw_time());
      return true;
    case WorldFault::kFullDisk:
      fill_disk(victim);
      return true;
    case WorldFault::kCorrupt:
      return corrupt(victim);
    case WorldFault::kClock:
      step_clock(victim);
      return true;
    case WorldFault::kSlow:
      slow(victim);
      return true;
    case WorldFault::kNone:
      break;
  }
  return false;
}

// Members of the world are let in with clocks that differ by 1.5 s at most (world-member.ts): whose
// clock is further off when it starts waits until that is set right.
void WorldFaults::step_clock(WorldNode& victim) {
  const Micros by = world_.random.between(-60'000'000, 60'000'000);
  victim.step_wall(by);
  world_.events.after(draw_time(), [&victim, by] { victim.step_wall(-by); });
}

void WorldFaults::fill_disk(WorldNode& victim) {
  victim.fill_disk(world_.random.below(100'000));
  world_.events.after(kFullTime, [this, &victim, life = victim.life()] {
    if (victim.life() != life) return;
    if (world_.random.chance(50)) return victim.fill_disk(UINT64_MAX);
    world_.lose(victim, WorldNode::Death::kKill, draw_time());
  });
}

// Never as long as silence lasts: it is heard, and late.
void WorldFaults::slow(WorldNode& victim) {
  const int64_t percent[] = {10, 30, 50};
  const Nanos period = (world_.random.chance(30) ? 100 : 1'000) * kFaultMilli;
  const Nanos stop = period / 100 * percent[world_.random.below(std::size(percent))];
  victim.slow_passes(stop, period, draw_time());
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
bool WorldFaults::corrupt(WorldNode& victim) {
  if (corrupted_ != 0 && corrupted_ != victim.node()) return false;
  for (const WorldShard& shard : world_.config.shards) {
    const auto& members = shard.members;
    const bool held = std::ranges::find(members, victim.node()) != members.end();
    if (!shard.persistent || !held || members.size() < 3) continue;
    if (!victim.corrupt(shard.shard, world_.random.next())) continue;
    corrupted_ = victim.node();
    return true;
  }
  return false;
}

WorldNode& WorldFaults::draw_node() {
  return world_.at(static_cast<NodeId>(1 + world_.random.below(world_.config.nodes)));
}

WorldNode::Death WorldFaults::draw_death() {
  return world_.random.chance(50) ? WorldNode::Death::kKill : WorldNode::Death::kPower;
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
      world_.at(a).slow_passes(0, 0, 0);
    }
    ended_at_ = world_.events.now();
    world_.note("faults have ended");
  });
}

}  // namespace freshet::test
