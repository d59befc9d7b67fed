// One machine of a simulated cluster: a disk and clocks that outlive the processes, and the process
// that runs on it now, a whole Member whose threads are events of the heap.
//
// The member's event loop is JavaScript: what it is told (rows, timers, files) goes through the
// world to the program that steps it. Its agent, log and job threads run here.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_NODE_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_NODE_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "native/agent/member.h"
#include "native/io/simulated_file.h"
#include "test/native/simulation/world_transport.h"

namespace freshet::test {

class World;

// What the program that steps the event loops is told next.
struct LoopEvent {
  enum class Kind : uint8_t {
    kDone = 0,
    kStart = 1,     // a process of the node is to be started
    kEnd = 2,       // it was killed
    kWake = 3,      // rows wait
    kTimer = 4,     // `id` was asked for by after()
    kFile = 5,      // `id` was asked for by replace_file() or read_file(); `value` is a status
    kMove = 6,      // somebody wants shard `id` moved; `value`: from node << 8 | to node
    kLayout = 7,    // somebody wants another layout: the `id`th of the seed
    kRead = 8,      // a client reads; `value`: shard << 6 | key << 2 | ReadLevel
    kPut = 9,       // a client puts what WorldClients::put_of() tells of `id`
    kCatalog = 10,  // for pools; `value`: round << 1 | in a subgroup that comes and goes
  } kind = Kind::kDone;
  NodeId node = 0;
  uint64_t id = 0;
  uint64_t value = 0;
};

// Names and numbers of what a member is doing; those of the event loop are told by it.
enum class WorldStep : uint8_t {
  kIdle,
  // native/core/view: from one view to the next.
  kSuspecting,
  kAcked,
  kWedged,
  kTrimmed,
  kDelivering,
  kPrepared,
  kCommitted,
  // Joining, told by the event loop.
  kAsking,   // leads: has asked a joiner to fill itself
  kFilling,  // joins: fetches what it misses
  kTailing,  // joins: fetches the tail of a view that is on its way
  // A total restart: of the leader ...
  kWaiting,
  kCollecting,
  kSealing,
  kFillingAll,
  kAdopting,
  kPreparing,
  kPausing,
  kStarting,
  // ... and of who follows.
  kReporting,
  kSealed,
  kFillingMine,
  kAdopted,
  kRecording,
  kReady,
  kBeginning,
};
inline constexpr size_t kWorldSteps = static_cast<size_t>(WorldStep::kBeginning) + 1;

class WorldNode final : public Surroundings, public std::enable_shared_from_this<WorldNode> {
 public:
  WorldNode(World& world, NodeId node);

  NodeId node() const { return node_; }
  Member* member() const { return member_.get(); }  // null: nothing runs
  const Membership* membership() const;
  ShardHost* host(ShardId shard) const;
  bool paused() const { return paused_; }
  uint64_t life() const { return life_; }
  bool starting = false;  // the event loop was told to start
  WorldStep told_step = WorldStep::kIdle;
  WorldStep step_now() const;
  std::string describe() const;

  // For the event loop.
  Status open(std::shared_ptr<Member>& out);
  size_t drain(std::span<double> rows);
  void after(Nanos delay, uint64_t id);
  // In one of its next turns.
  void ask_loop(LoopEvent event) { in_loop(loop_time(), event); }
  void read_file(uint64_t id);
  std::optional<std::vector<std::byte>> content(const std::string& name);
  void replace_file(const std::string& name, std::vector<std::byte> bytes, uint64_t id);

  // Faults.
  enum class Death : uint8_t { kKill, kPower };
  void kill(Death death, bool reset);
  void pause();
  void resume();
  void stall(Nanos time);  // its event loop
  // Turns that it put off come when it was to end, even if it ended earlier.
  bool turns_late() const;
  void slow_disk(Nanos time);  // every operation takes long
  // For this time it makes no pass during the first `stop` of each `period`.
  void slow_passes(Nanos stop, Nanos period, Nanos time);
  void fill_disk(uint64_t left);               // bytes; UINT64_MAX: there is room
  void fail_disk(bool fails);                  // nothing can be written
  bool corrupt(ShardId shard, uint64_t draw);  // one bit of a log; false: there is none
  void step_wall(Micros by) { wall_skew_ += by; }
  void wipe();  // another, empty disk; while nothing runs

  // Runs in this process, when it is not paused.
  void later(Nanos delay, std::function<void()> what);
  void wake(Nanos delay);

  Nanos boot_now() override;
  Micros wall_now() override;
  void fill_random(MutableBytes out) override;
  std::shared_ptr<FileSystem> files() override { return files_; }
  Status open_transport(const MemberConfig& config, uint64_t incarnation,
                        std::unique_ptr<Transport>& out, uint16_t& port) override;
  bool has_threads() const override { return false; }
  void on_job() override;

 private:
  void run_passes();
  void pass_when_due();
  void take_rows();
  void turn_later();
  void turn_after(Nanos delay);
  void run_jobs();
  void run_logs();
  void in_loop(Nanos delay, LoopEvent event);
  Nanos stop_left() const;
  Nanos disk_time();
  Nanos loop_time();
  void replace_step(int step, const std::string& name,
                    const std::shared_ptr<std::vector<std::byte>>& bytes, uint64_t id);

  World& world_;
  const NodeId node_;
  std::shared_ptr<SimulatedFileSystem> files_;
  const Nanos boot_offset_;
  const int64_t drift_ppm_;
  Micros wall_skew_;
  std::shared_ptr<Member> member_;
  WorldTransport* transport_ = nullptr;
  uint64_t life_ = 0;
  bool paused_ = false;
  bool pass_due_ = false;
  bool turn_due_ = false;
  bool job_due_ = false;
  bool log_due_ = false;
  Nanos beat_due_ = 0;  // the pass that a timer of the agent wants, on the world's clock
  Nanos stalled_until_ = 0;
  Nanos turns_late_until_ = 0;
  Nanos slow_until_ = 0;
  // When its passes stand still.
  struct Stops {
    Nanos length = 0;
    Nanos period = 0;
    Nanos since = 0;
    Nanos until = 0;
  } stops_;
  std::deque<Row> rows_;  // for the event loop
  std::vector<std::function<void()>> deferred_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_NODE_H_
