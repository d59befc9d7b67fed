#include "test/native/support/view_script.h"

#include <algorithm>
#include <cstdlib>

#include "test/native/support/test.h"

namespace freshet::test {

ViewScript::ViewScript(uint64_t seed, MembershipLimits limits, NodeId nodes)
    : world_(seed, 0), nodes_(nodes) {
  world_.trace = std::getenv("FRESHET_TRACE") != nullptr;
  world_.limits = limits;
  world_.running.resize(nodes);
  world_.on_stepped = [](ViewProcess&) {};
  world_.on_outdated = [this](NodeId node) {
    outdated_++;
    crash(node, true);
    start(node);
  };
}

ViewScript::~ViewScript() = default;

void ViewScript::begin(NodeId members, std::vector<ViewShard> shards) {
  View view;
  view.number = 1;
  for (Seat seat = 0; seat < members; seat++)
    view.members.push_back({{seat + 1, ++incarnations_}, seat});
  view.shards = std::move(shards);
  for (const ViewMember& member : view.members) {
    auto process = std::make_shared<ViewProcess>(world_, member.id);
    all_.push_back(process);
    world_.running[member.id.node - 1] = process;
    process->begin(view);
    process->start();
  }
}

void ViewScript::start(NodeId node) {
  auto process = std::make_shared<ViewProcess>(world_, MemberId{node, ++incarnations_});
  all_.push_back(process);
  world_.running[node - 1] = process;
  process->start();
}

void ViewScript::crash(NodeId node, bool reset) {
  at(node).kill();
  world_.running[node - 1] = nullptr;
  world_.network.end(node, reset);
}

void ViewScript::run(Nanos time) {
  (void)until([] { return false; }, time);
}

bool ViewScript::until(const std::function<bool()>& is_so, Nanos most) {
  const Nanos end = world_.events.now() + most;
  while (!is_so()) {
    if (world_.events.now() >= end || !world_.events.run_next()) return false;
  }
  return true;
}

void ViewScript::part(const std::vector<NodeId>& side) {
  const auto is_there = [&](NodeId node) { return std::ranges::find(side, node) != side.end(); };
  for (NodeId a = 1; a <= nodes_; a++) {
    for (NodeId b = 1; b <= nodes_; b++) {
      if (a == b) continue;
      is_there(a) == is_there(b) ? world_.network.heal(a, b) : world_.network.cut(a, b);
    }
  }
}

}  // namespace freshet::test
