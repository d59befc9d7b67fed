// A whole cluster from one event heap and one seed: Members with their agents, stores, logs and
// disks in C++, their event loops in the program that steps this (test/simulation), which is told
// by events when one of them has something to do.
//
// Thread: one.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "test/native/simulation/world_catalog.h"
#include "test/native/simulation/world_clients.h"
#include "test/native/simulation/world_faults.h"
#include "test/native/simulation/world_ledger.h"
#include "test/native/simulation/world_node.h"
#include "test/native/simulation/world_probes.h"
#include "test/native/simulation/world_raw.h"
#include "test/native/simulation/world_script.h"

namespace freshet::test {

struct WorldShard {
  ShardId shard = 0;
  bool persistent = false;
  bool raw = false;
  std::vector<NodeId> members;  // of the layout that the members are configured with
  size_t copies = 0;            // the fewest that any of the seed's layouts wants
};

struct WorldConfig {
  uint64_t seed = 1;
  NodeId nodes = 3;
  std::vector<WorldShard> shards;
  uint64_t operations = 5'000;  // answered, at least
  Nanos time = 60'000'000'000;  // at least
  uint64_t faults = 3;          // at least
  uint64_t moves = 0;           // of shards, that are asked for
  uint64_t layouts = 0;         // others than the configured one, that are asked for
  uint32_t clients = 8;
  size_t congested = kCongestedBytes;  // on their way to a peer: no data goes to it
  uint32_t history = 0;                // versions of a key that volatile shards keep; 0: all
  uint32_t slow_percent = 2;           // of turns and disk operations that take long
  uint32_t tear_percent = 0;
  WorldFault fault = WorldFault::kNone;  // the first one, and where; else drawn
  WorldStep step = WorldStep::kIdle;
  uint64_t stride = 0;       // from the cell of a fault to that of the next one; 0: those are drawn
  bool catalog = false;      // its shard is left to it
  bool lying_disks = false;  // a canary: syncs do nothing
  bool forgets_wakes = false;  // a canary: an agent that is woken stays asleep now and then
  bool reuses_values = false;  // a canary: what was lent is written over
  bool trace = false;
  std::vector<WorldAct> script;  // in place of faults by chance
};

class World {
 public:
  explicit World(WorldConfig given);
  ~World();

  // Goes on until the event loop of a node has something to do, or all is done.
  LoopEvent run();
  uint64_t trace() const;

  // For nodes.
  void tell(const LoopEvent& event) { told_.push_back(event); }
  // False: the row is the event loop's.
  bool take_row(WorldNode& node, const Row& row);
  void on_pass(WorldNode& node, bool worked);
  // A process that could not start, or ended by itself; it is started again later.
  void on_failed(NodeId node, const std::string& why);
  // A member notes that a view was prepared or begun, as a record on its disk.
  void note(const std::string& text);

  WorldNode& at(NodeId node) { return *nodes_[node - 1]; }
  const WorldNode& at(NodeId node) const { return *nodes_[node - 1]; }
  void start(NodeId node, Nanos delay);
  // Somebody wants any shard moved, if one can be.
  void ask_for_move();
  // Ends its process, if there is one, which is started again after a while.
  void lose(WorldNode& node, WorldNode::Death death, Nanos back_after);

  const WorldConfig config;
  EventHeap events;
  SeededRandom random;
  const Nanos wakes_within;  // of an agent for which something has arrived
  ViewNetwork network;
  WorldLedger ledger;
  WorldClients clients;
  WorldRaw raw;
  WorldCatalog catalog;
  WorldFaults faults;
  WorldProbes probes;
  WorldScript script;
  uint64_t passes = 0;
  Nanos settled_after = 0;

 private:
  void watch();
  void ask_for_layout(uint64_t nth);
  bool is_settled() const;
  bool is_settled(const WorldNode& node, const View& view) const;
  void finish();
  std::string explain() const;

  std::vector<std::shared_ptr<WorldNode>> nodes_;
  std::deque<LoopEvent> told_;
  Nanos rests_since_ = 0;
  bool done_ = false;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_H_
