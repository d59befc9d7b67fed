// What goes wrong in a World: one fault after the other, each armed for a step of the protocol and
// brought to the first member that is in it. What leads there is provoked: a member is lost, comes
// back, or all restart.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_FAULTS_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_FAULTS_H_

#include <array>
#include <optional>

#include "test/native/simulation/world_node.h"

namespace freshet::test {

enum class WorldFault : uint8_t {
  kKill,      // kill -9: what was written stays
  kPower,     // what was not synced is lost, torn or out of order
  kPause,     // the process stands still
  kStall,     // its event loop does
  kCut,       // nothing gets through between it and some others, one or both ways
  kDrop,      // connections are lost
  kSlowDisk,  // each operation takes up to 400 ms
  kFullDisk,  // for a while, or until it is started again
  kCorrupt,   // a bit of a log is another one
  kClock,     // its wall clock steps
  kSlow,      // its passes stand still for a tenth, a third or half of the time
  kNone,
};
inline constexpr size_t kWorldFaults = static_cast<size_t>(WorldFault::kNone);

class WorldFaults {
 public:
  explicit WorldFaults(World& world) : world_(world) {}

  void begin();
  void on_pass(WorldNode& node);
  Nanos ended_at() const { return ended_at_; }  // 0: not yet
  uint64_t count() const { return count_; }
  using Table = std::array<std::array<uint32_t, kWorldSteps>, kWorldFaults>;
  const Table& table() const { return table_; }

 private:
  struct Armed {
    WorldFault fault;
    WorldStep step;
    Nanos until;
    int tries;
    bool restarts_when_prepared;  // all are lost as soon as one has prepared a view
  };

  void arm();
  bool aim(WorldFault& fault, WorldStep& step) const;
  void provoke(WorldStep step);
  void provoke_moves();
  void provoke_restart(WorldStep step);
  void lose_all(WorldNode::Death death);
  void strike(WorldFault fault, WorldNode& victim);
  // False: there was nothing to do harm to.
  bool act(WorldFault fault, WorldNode& victim);
  void cut(NodeId victim);
  void cut_way(NodeId from, NodeId to, Nanos time);
  void step_clock(WorldNode& victim);
  void fill_disk(WorldNode& victim);
  void slow(WorldNode& victim);
  bool corrupt(WorldNode& victim);
  void end();
  WorldNode& draw_node();
  WorldNode::Death draw_death();
  Nanos draw_time();

  World& world_;
  std::optional<Armed> armed_;
  uint64_t left_ = 0;
  uint64_t count_ = 0;
  NodeId corrupted_ = 0;
  Nanos ended_at_ = 0;
  Table table_{};
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_FAULTS_H_
