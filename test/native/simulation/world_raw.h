// Messages in the raw shards of a World, which its members send all the time. Checked, of what
// platform/README.md promises of raw delivery: what a member sends comes in its order and once, and
// what was answered is at every member of the epoch that goes on and that nobody suspected since.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_RAW_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_RAW_H_

#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "native/agent/row_ring.h"
#include "native/core/types.h"

namespace freshet {
class RecordView;
class Store;
}  // namespace freshet

namespace freshet::test {

class World;
class WorldNode;

class WorldRaw {
 public:
  explicit WorldRaw(World& world) : world_(world) {}

  void begin();
  // No new messages.
  void end() { ended_ = true; }
  // Of processes that still run.
  bool are_all_answered() const;
  uint64_t delivered() const { return delivered_; }
  uint64_t answered() const { return answered_; }

  // Above those of clients.
  static bool is_mine(Token token) { return token > kFirstToken; }
  void on_completion(const Row& row);
  // After each pass of a member.
  void look_at(WorldNode& node);

 private:
  static constexpr Token kFirstToken = Token{1} << 52;

  struct Message {
    ShardId shard = 0;
    NodeId sender = 0;
    uint64_t life = 0;    // of the sender's process
    uint64_t number = 0;  // as its value; ascends
    bool makes_pool = false;
  };
  struct Answered {
    Message message;
    Epoch epoch;
  };
  // What a process took in.
  struct Receiver {
    uint64_t life = 0;
    uint64_t generation = 0;  // of the store, of which so much was looked at
    Version checked = 0;
    std::map<Epoch, Nanos> began;     // epochs that run or ran here, and since when
    std::map<NodeId, uint64_t> last;  // by sender, the number that came last
    std::unordered_set<uint64_t> seen;
  };

  void send_later();
  void send(ShardId shard, WorldNode& node);
  bool submit(const Message& message, WorldNode& node);
  void note_suspects(const WorldNode& node);
  void look_at(WorldNode& node, ShardId shard);
  void take(WorldNode& node, ShardId shard, Receiver& receiver, const RecordView& record);
  void check_answered();

  World& world_;
  std::vector<ShardId> shards_;
  std::map<ShardId, bool> has_pool_;
  std::map<ShardId, Token> pool_before_;  // messages from here on were sent when all had it
  std::unordered_map<Token, Message> open_;
  std::vector<Answered> answers_;  // of the pass that is under way
  std::map<std::pair<NodeId, ShardId>, Receiver> receivers_;
  std::map<NodeId, Nanos> suspected_;  // last seen so
  Token next_token_ = kFirstToken + 1;
  uint64_t delivered_ = 0;
  uint64_t answered_ = 0;
  bool ended_ = false;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_RAW_H_
