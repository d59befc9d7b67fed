#include "test/native/simulation/world_catalog.h"

#include <algorithm>

#include "test/native/simulation/world.h"

namespace freshet::test {
namespace {

constexpr Nanos kCatalogPause = 500'000'000;  // on average
constexpr Nanos kTogether = 20'000'000;       // all ask for the same within so much
constexpr Nanos kChanging = 100'000'000;      // about as long as a change of the layout takes
constexpr int64_t kCrowdPercent = 15;         // of the rounds

}  // namespace

WorldCatalog::WorldCatalog(World& world)
    : world_(world), random_(world.config.seed ^ 0xCA7A10ull << 32) {}

void WorldCatalog::begin() {
  if (world_.config.catalog) ask_later();
}

// Any member as a rule, now and then all of them for the same.
void WorldCatalog::ask_later() {
  world_.events.after(random_.between(0, 2 * kCatalogPause), [this] {
    if (ended_) return;
    if (random_.chance(kCrowdPercent)) {
      ask_all(kTogether, false);
    } else {
      ask(static_cast<NodeId>(1 + random_.below(world_.config.nodes)), ++rounds_, false);
    }
    ask_later();
  });
}

void WorldCatalog::on_layout() {
  if (world_.config.catalog && !ended_) ask_all(kChanging, true);
}

void WorldCatalog::ask_all(Nanos within, bool extra) {
  rounds_++;
  for (NodeId node = 1; node <= world_.config.nodes; node++)
    world_.events.after(random_.between(0, within), [this, node, extra, round = rounds_] {
      if (!ended_) ask(node, round, extra);
    });
}

void WorldCatalog::ask(NodeId asked, uint64_t round, bool extra) {
  WorldNode& node = world_.at(asked);
  if (node.member() == nullptr) return;
  const uint64_t id = next_id_++;
  asked_[id] = {node.node(), node.life()};
  node.ask_loop({LoopEvent::Kind::kCatalog, node.node(), id, round << 1 | (extra ? 1 : 0)});
}

bool WorldCatalog::are_all_answered() const {
  return std::ranges::none_of(asked_, [&](const auto& item) {
    return world_.at(item.second.node).life() == item.second.life;
  });
}

void WorldCatalog::on_answer(uint64_t id) { asked_.erase(id); }

std::string WorldCatalog::describe() const {
  std::string text;
  for (const auto& [id, asked] : asked_) {
    if (world_.at(asked.node).life() != asked.life) continue;
    text += "unanswered: call " + std::to_string(id) + " for the catalog at node " +
            std::to_string(asked.node) + "\n";
  }
  return text;
}

void WorldCatalog::on_delivered(Version version, const RecordView& record) {
  entries_.resize(version - 1);
  const Bytes value = record.value();
  entries_.push_back({.epoch = record.header().epoch,
                      .removes = record.header().kind == RecordKind::kRemove,
                      .key = std::string(record.key()),
                      .value = {value.begin(), value.end()}});
}

}  // namespace freshet::test
