// Puts and reads that a script of a World makes while a view changes, to see which shards answer.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_PROBES_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_PROBES_H_

#include <vector>

#include "native/agent/row_ring.h"
#include "test/native/simulation/world_node.h"

namespace freshet::test {

class WorldProbes {
 public:
  explicit WorldProbes(World& world) : world_(world) {}

  // The node is gone, and for `time` no view is installed without it. Shards that it has no part in
  // take puts and give linearizable reads meanwhile, at all their members, unless one is paused;
  // those that it has a part in take nothing.
  void expect_others(NodeId gone, Nanos time);

  static bool is_mine(Token token) { return token > kFirstToken; }
  void on_completion(const Row& row);

 private:
  static constexpr Token kFirstToken = (Token{1} << 52) + (Token{1} << 51);

  struct Probe {
    ShardId shard;
    NodeId node;
    bool reads;
    bool waits_for_view;  // the shard is one that the node which is gone has a part in
    bool answered = false;
  };

  void probe(ShardId shard, WorldNode& node, NodeId gone);
  void add(Probe probe, WorldNode& node);
  void judge(NodeId gone);

  World& world_;
  std::vector<Probe> probes_;  // by token
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_PROBES_H_
