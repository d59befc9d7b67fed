#include "test/native/simulation/world_probes.h"

#include <algorithm>
#include <string>

#include "test/native/simulation/world.h"

namespace freshet::test {

void WorldProbes::expect_others(NodeId gone, Nanos time) {
  for (const WorldShard& shard : world_.config.shards) {
    if (shard.raw) continue;
    for (NodeId node = 1; node <= world_.config.nodes; node++)
      probe(shard.shard, world_.at(node), gone);
  }
  world_.events.after(time, [this, gone] { judge(gone); });
}

void WorldProbes::probe(ShardId shard, WorldNode& node, NodeId gone) {
  ShardHost* host = node.member() == nullptr || node.paused() ? nullptr : node.host(shard);
  if (host == nullptr || host->replica() == nullptr) return;
  const std::vector<NodeId>& members = host->replica()->config().members;
  const bool with_gone = std::ranges::find(members, gone) != members.end();
  const bool held_up =
      std::ranges::any_of(members, [&](NodeId member) { return world_.at(member).paused(); });
  if (held_up && !with_gone) return;
  if (WorldClients::may_put(*host, node.node())) add({shard, node.node(), false, with_gone}, node);
  add({shard, node.node(), true, with_gone}, node);
}

void WorldProbes::add(Probe probe, WorldNode& node) {
  probes_.push_back(probe);
  const Token token = kFirstToken + probes_.size();
  const bool persistent = world_.clients.is_persistent(probe.shard);
  const Status asked = probe.reads ? node.member()->wait_current(probe.shard, persistent, token)
                                   : world_.clients.put_apart(probe.shard, node, token);
  if (!is_ok(asked)) world_.note(std::string("a probe is refused: ") + status_name(asked));
}

void WorldProbes::on_completion(const Row& row) {
  Probe& probe = probes_[static_cast<Token>(row[1]) - kFirstToken - 1];
  probe.answered = static_cast<Status>(row[2]) == Status::kOk;
}

void WorldProbes::judge(NodeId gone) {
  for (NodeId node = 1; node <= world_.config.nodes; node++) {
    const Membership* membership = world_.at(node).membership();
    if (membership == nullptr) continue;
    const auto& members = membership->view().members;
    if (std::ranges::none_of(members, [&](const ViewMember& one) { return one.id.node == gone; }))
      world_.ledger.violation("node " + std::to_string(node) + " has a view without node " +
                              std::to_string(gone) + " already");
  }
  for (const bool waits : {false, true}) {
    if (std::ranges::none_of(probes_,
                             [&](const Probe& one) { return one.waits_for_view == waits; }))
      world_.ledger.violation(waits ? "no shard waits for the view" : "every shard is concerned");
  }
  for (const Probe& probe : probes_) {
    if (probe.answered != probe.waits_for_view) continue;
    const std::string what = probe.reads ? "read" : "put";
    world_.ledger.violation(
        "shard " + std::to_string(probe.shard) + " at node " + std::to_string(probe.node) +
        (probe.answered ? " answered a " + what + " before" : " answered no " + what + " until") +
        " the view without node " + std::to_string(gone));
  }
}

}  // namespace freshet::test
