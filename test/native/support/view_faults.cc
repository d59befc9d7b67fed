// What goes wrong in a ViewGroup; see view_group.h.
#include <algorithm>
#include <cstdio>

#include "test/native/support/view_group.h"

namespace freshet::test {
namespace {

constexpr Nanos kMillisecond = 1'000'000;
constexpr Nanos kArmedMax = 1'500 * kMillisecond;

}  // namespace

// The next fault, and in which step it meets its victim.
void ViewGroup::arm() {
  if (faults_left_ == 0) return end_faults();
  faults_left_--;
  const uint64_t draw = world_.random.below(100);
  const bool slow = config_.accuse_percent > 0 && world_.random.chance(config_.accuse_percent);
  const ViewFault fault = slow        ? ViewFault::kAccuse
                          : draw < 38 ? ViewFault::kCrash
                          : draw < 58 ? ViewFault::kPause
                          : draw < 82 ? ViewFault::kCut
                          : draw < 90 ? ViewFault::kDrop
                          : draw < 95 ? ViewFault::kStall
                                      : ViewFault::kLeave;
  // While a view is under way nobody is suspected on a word from outside.
  const auto step = slow ? ViewStep::kIdle : static_cast<ViewStep>(world_.random.below(kViewSteps));
  armed_ = {fault, step, world_.events.now() + kArmedMax};
}

void ViewGroup::on_stepped(ViewProcess& process) {
  if (!armed_ || process.is_blank()) return;
  const bool due = world_.events.now() >= armed_->until;
  if (!due && (process.step_now() != armed_->step || world_.random.chance(30))) return;
  const ViewFault fault = armed_->fault;
  armed_.reset();
  strike(fault, process);
  // Often so soon that the next one meets what this one began.
  const Nanos most = (world_.random.chance(70) ? 300 : 4000) * kMillisecond;
  world_.events.after(world_.random.between(0, most), [this] { arm(); });
}

void ViewGroup::strike(ViewFault fault, ViewProcess& victim) {
  const NodeId node = victim.id().node;
  const bool lost = fault == ViewFault::kCrash || fault == ViewFault::kLeave;
  if (lost && !may_lose(victim)) fault = ViewFault::kPause;
  const auto kind = static_cast<size_t>(fault);
  if (world_.trace)
    std::printf("%8.3f fault %d at node %u\n", static_cast<double>(world_.events.now()) / 1e9,
                static_cast<int>(fault), node);
  if (kind < kTabledFaults) result_.faults[kind][static_cast<size_t>(victim.step_now())]++;
  switch (fault) {
    case ViewFault::kCrash:
      crash(node, world_.random.chance(60));
      return restart(node, draw_time());
    case ViewFault::kPause:
      victim.pause();
      world_.events.after(draw_time(), [this, node, life = victim.id()] {
        ViewProcess* now = at(node);
        if (now != nullptr && now->id() == life && now->paused()) now->resume();
      });
      return;
    case ViewFault::kCut:
      return cut(node);
    case ViewFault::kDrop: {
      const auto other = static_cast<NodeId>(1 + world_.random.below(nodes_));
      if (other != node) world_.network.drop(node, other);
      return;
    }
    case ViewFault::kStall:
      return victim.stall(world_.random.between(100, 8000) * kMillisecond);
    case ViewFault::kLeave:
      return victim.leave();
    case ViewFault::kAccuse: {
      const auto& members = victim.membership().view().members;
      const ViewMember& other = members[world_.random.below(members.size())];
      if (victim.accuse(other.id.node)) result_.accused++;
      return;
    }
  }
}

void ViewGroup::crash(NodeId node, bool reset) {
  at(node)->kill();
  world_.running[node - 1] = nullptr;
  world_.network.end(node, reset);
}

// As another incarnation, without what it had.
void ViewGroup::restart(NodeId node, Nanos delay) {
  world_.events.after(delay, [this, node] {
    if (at(node) == nullptr) start(node, nullptr);
  });
}

// One or both ways, from one or from all or from half of the others, with or without a reset.
void ViewGroup::cut(NodeId victim) {
  const Nanos time = draw_time();
  const uint64_t ways = world_.random.below(4);  // 0: out, 1: in, else both
  const bool reset = world_.random.chance(30);
  const uint64_t extent = world_.random.below(3);
  const auto only = static_cast<NodeId>(1 + world_.random.below(nodes_));
  uint64_t side = extent == 1 ? world_.random.next() : 0;
  side |= uint64_t{1} << victim;
  for (NodeId a = 1; a <= nodes_; a++) {
    for (NodeId b = 1; b <= nodes_; b++) {
      const bool parts = (side >> a & 1) != 0 && (side >> b & 1) == 0;
      if (!parts || (extent == 0 && b != only)) continue;
      if (ways != 1) cut_way(a, b, time);
      if (ways != 0) cut_way(b, a, time);
      if (reset) world_.network.drop(a, b);
    }
  }
}

void ViewGroup::cut_way(NodeId from, NodeId to, Nanos time) {
  world_.network.cut(from, to);
  world_.events.after(time, [=, this] { world_.network.heal(from, to); });
}

Nanos ViewGroup::draw_time() {
  const uint64_t draw = world_.random.below(100);
  const int64_t most = draw < 35 ? 300 : draw < 80 ? 2500 : 7000;
  return world_.random.between(10, most) * kMillisecond;
}

bool ViewGroup::lives(const MemberId& id, const ViewProcess* but) const {
  const ViewProcess* process = world_.running[id.node - 1].get();
  return process != nullptr && process->id() == id && process != but && !process->is_leaving();
}

// Of the members of the view, within the seats `of`.
bool ViewGroup::keeps_majority(const View& view, SeatSet of, const ViewProcess* victim) const {
  SeatSet live = 0;
  for (const ViewMember& member : view.members)
    if (has_seat(of, member.seat) && lives(member.id, victim)) live |= seat_bit(member.seat);
  return is_strict_majority(live, view.seats());
}

// Are too few left for what is proposed there, although somebody may have installed it?
bool ViewGroup::is_lost(const ViewProcess& process, const ViewProcess* victim) const {
  const View& view = process.membership().view();
  const View* next = process.membership().proposal();
  if (next == nullptr || process.is_blank()) return false;
  const bool enough =
      keeps_majority(*next, next->seats(), victim) && keeps_majority(view, next->seats(), victim);
  return !enough && is_undecided(view, victim);
}

// May somebody have installed what follows this view, or be about to? A leader needs a majority
// that has prepared for it; of those who are lost, too, nobody can ask. One that lives has not,
// once what the victim wrote has arrived.
bool ViewGroup::is_undecided(const View& view, const ViewProcess* victim) const {
  for (const ViewMember& leader : view.members) {
    const bool leads = lives(leader.id, victim);
    if (leads && victim == nullptr) continue;
    SeatSet prepared = 0;
    for (const ViewMember& member : view.members) {
      const ViewProcess* process = at(member.id.node);
      const bool known = lives(member.id, victim) || (leads && process == victim);
      if (!known || has_seat(process->asked_by(), leader.seat)) prepared |= seat_bit(member.seat);
    }
    if (is_strict_majority(prepared, view.seats())) return true;
  }
  return false;
}

// Would what is installed or under way be left without a majority, or a shard without its history?
bool ViewGroup::may_lose(const ViewProcess& victim) const {
  for (const auto& process : world_.running) {
    if (process == nullptr || process->is_blank()) continue;
    const View& view = process->membership().view();
    if (!keeps_majority(view, view.seats(), &victim)) return false;
    if (is_lost(*process, &victim)) return false;
  }
  for (const ViewShard& shard : shards_) {
    const bool has = victim.replica(shard.shard) != nullptr;
    const bool last = std::ranges::none_of(world_.running, [&](const auto& other) {
      return other != nullptr && other.get() != &victim && !other->is_leaving() &&
             other->replica(shard.shard) != nullptr && other->installed() >= victim.installed();
    });
    if (has && last) return false;
  }
  return true;
}

// All that was cut is healed, all that stood still goes on; who is gone comes back in its time.
void ViewGroup::end_faults() {
  world_.events.after(world_.random.between(0, 3000) * kMillisecond, [this] {
    for (NodeId a = 1; a <= nodes_; a++) {
      for (NodeId b = 1; b <= nodes_; b++)
        if (a != b) world_.network.heal(a, b);
    }
    for (const auto& process : world_.running) {
      if (process == nullptr) continue;
      process->stall(0);
      if (process->paused()) process->resume();
    }
    ended_ = world_.events.now();
    world_.moves_left = 0;
  });
}

}  // namespace freshet::test
