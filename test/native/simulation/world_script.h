// What goes wrong in a World by a script instead of by chance: for scenarios that have a name.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_SCRIPT_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_SCRIPT_H_

#include <vector>

#include "test/native/simulation/world_node.h"

namespace freshet::test {

struct WorldAct {
  enum class Kind : uint8_t {
    kKill,   // comes back after `time`
    kPower,  // the same, without what was not synced
    kWipe,   // the same, with an empty disk
    kPause,  // for `time`, as the next ones
    kStall,
    kIsolate,
    kDrop,    // all its connections
    kClock,   // its wall clock steps by `time`
    kBehead,  // kills the first member of the view that it runs, back after `time`
    // Not a fault: the view that runs has not got the node, and every shard was answered within
    // the last `time`.
    kExpectWithout,
    kFailDisk,      // nothing can be written for `time`
    kDeafen,        // nothing gets through to it for `time`
    kSlowDisk,      // every operation takes long, for `time`
    kExpectOthers,  // not a fault: WorldProbes::expect_others
  } kind = Kind::kKill;
  Nanos at = 0;     // on the world's clock
  NodeId node = 0;  // 0: all; kWhoLeads: the first member of the view that it runs
  Nanos time = 0;
  bool waits = false;  // from then on, for the node (0: any) to be in `step`
  WorldStep step = WorldStep::kIdle;
};
inline constexpr NodeId kWhoLeads = 99;

class WorldScript {
 public:
  explicit WorldScript(World& world) : world_(world) {}

  void begin();
  void on_pass(WorldNode& node);
  Nanos ended_at() const { return ended_at_; }  // 0: not yet

 private:
  void act(const WorldAct& what, WorldNode& node);
  WorldNode* leader_of(const WorldNode& node);  // null: nobody has a view
  void cut(NodeId from, NodeId to, Nanos time);
  void expect_without(NodeId node, Nanos time);
  bool is_meant(const WorldAct& what, const WorldNode& node) const;
  void count_down();

  World& world_;
  std::vector<WorldAct> waiting_;
  size_t left_ = 0;
  Nanos ended_at_ = 0;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_SCRIPT_H_
