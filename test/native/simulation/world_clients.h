// Clients of a World: each has one operation under way at a member, gives up after a while and goes
// to another. What they saw is a history per key, which has to be linearizable.
//
// Most of what they do comes in floods, in which all are at it at once: the members answer many in
// a pass then, and faults meet many under way.
//
// Half of them have a session: what was not answered they send again, at another member and under
// the same stamp, until it is.
//
// Half of them ask, now and then, the event loop of any member, whether it holds the shard or not,
// which goes through the product's own access to all shards, and sends again what may have been
// lost. Of these reads some ask for what is `stable` only, or for what there is.
//
// A put to a persistent shard that only asked for `delivered` promises nothing across a total
// restart, and nobody else sees it before it is persisted: it counts as one that did not return.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_CLIENTS_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_CLIENTS_H_

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "native/agent/row_ring.h"
#include "native/agent/shard_host.h"
#include "native/io/seeded_random.h"
#include "test/native/simulation/world_ledger.h"
#include "test/native/support/linearizability.h"

namespace freshet::test {

struct LoopEvent;

// As readLevels in world-addon.ts.
enum class ReadLevel : uint8_t { kLinearizable, kStable, kLocal };

// What the event loop answers.
struct LoopAnswer {
  enum class Kind : uint8_t { kFound, kNothing, kRefused } kind = Kind::kRefused;
  Version version = 0;
  Epoch epoch = 0;
  Bytes value;
};

class WorldClients {
 public:
  explicit WorldClients(World& world);

  void begin();
  // All at once are at it, until they have done so much or for a while.
  void flood(uint64_t operations);
  // No new operations.
  void end() { ended_ = true; }
  bool are_all_answered() const;
  uint64_t answered() const { return answered_; }
  uint64_t reads() const { return reads_; }
  uint64_t checked() const { return checked_; }
  uint64_t retries() const { return retries_; }
  // Every history, once all is at rest.
  void check();
  std::string describe() const;
  bool is_persistent(ShardId shard) const { return shards_.at(shard).persistent; }
  // The shards that the layout of an installed view has: those that came are used from now on, what
  // is waited for in those that were taken away is given up.
  struct LayoutShard {
    ShardId shard = 0;
    bool persistent = false;
  };
  void on_layout(uint32_t view, const std::vector<LayoutShard>& shards);
  // All that came so far, and those of them that are there.
  const std::vector<ShardId>& came() const { return came_; }
  const std::vector<ShardId>& extras() const { return extras_; }
  uint64_t answered_in_extras() const { return answered_in_extras_; }
  // Those of raw delivery have no versions, and messages of their own (world_raw.h).
  bool is_used(ShardId shard) const { return shards_.contains(shard); }

  static bool is_mine(Token token) { return token > kFirstToken; }
  void on_completion(WorldNode& node, const Row& row);
  // The value that was put under the token is not read any more.
  void on_released(Token token) { lent_.erase(token); }
  void on_read(WorldNode& node, Token token, const LoopAnswer& answer);
  // A put that the event loop of a member is to make; the bytes are valid until the next one.
  struct LoopPut {
    ShardId shard = 0;
    uint32_t key = 0;
    uint64_t value = 0;
    bool persisted = false;
    Version expected = 0;
    Epoch expected_epoch = 0;
    SessionStamp stamp;
    PoolId pool = 0;
    Bytes bytes;
  };
  LoopPut put_of(Token token);
  void on_put(WorldNode& node, const Completion& completion);
  // What was answered in a pass is judged by what it delivered.
  void on_pass();
  void on_delivered(ShardId shard, Version version, const RecordView& record);
  // A total restart took back what lies behind this version.
  void on_cut_back(ShardId shard, Version version);

  // By what was put under which key a version became; null: it is not in the history, or not of
  // these clients.
  struct Delivered {
    uint32_t key;
    uint64_t value;
  };
  const Delivered* delivered(ShardId shard, Version version) const;
  // A key of somebody else's, in a pool of the catalog or in the catalog itself.
  static constexpr uint32_t kOfPools = UINT32_MAX;

  static bool may_put(ShardHost& host, NodeId node);
  // Under a key that no client uses; the answer is somebody else's.
  Status put_apart(ShardId shard, WorldNode& node, Token token);

  // When each was answered last, by client.
  Nanos last_answer(ShardId shard) const { return last_answers_.at(shard); }

 private:
  static constexpr Token kFirstToken = Token{1} << 51;
  static constexpr PoolId kPool = 1;

  using Kind = RegisterOperation::Kind;
  struct Operation {
    Token token = 0;
    RegisterOperation seen;
    ShardId shard = 0;
    uint32_t key = 0;
    NodeId node = 0;
    uint64_t life = 0;
    bool persisted = false;
    bool makes_pool = false;  // no operation on a key
    ReadLevel level = ReadLevel::kLinearizable;
    uint64_t generation = 0;  // of the store that a read asked for
    // Of a put, so that it can be sent again.
    Version expected = 0;      // 0: whatever there is
    Epoch expected_epoch = 0;  // 0: of any history
    SessionStamp stamp;
    WorldLedger::Floor floor{};
  };
  // The newest value that a client has seen of a register.
  struct Known {
    uint64_t value = 0;
    Version version = 0;
    Epoch epoch = 0;
  };
  struct Client {
    Operation now;         // token 0: none
    uint64_t session = 0;  // 0: none
    bool asks_loops = false;
    uint64_t requests = 0;
    NodeId node = 0;
    uint64_t turn = 0;                          // only the newest of those that were planned comes
    std::unordered_map<uint64_t, Known> known;  // by register
  };
  struct Acknowledged {
    ShardId shard;
    Completion completion;
    uint64_t value;  // what was put
    bool persisted;
  };
  // A value that is read where it lies.
  struct Lent {
    NodeId node = 0;
    uint64_t life = 0;
    std::vector<std::byte> value;
  };
  struct Shown {
    ShardId shard;
    WorldLedger::Floor floor;
    Version version;
    NodeId node;
  };
  struct Shard {
    std::vector<Delivered> delivered;  // by version, from 1
    std::map<uint32_t, uint64_t> initial;
    std::map<uint32_t, std::vector<RegisterOperation>> history;  // of this era, by key
    uint32_t era = 0;
    bool persistent = false;
    bool lacks_pool = true;  // so a put was answered, or none was made
  };

  void act(size_t client);
  void act_after(size_t client, Nanos delay);
  void flood_later();
  bool submit(Client& client, WorldNode& node);
  Operation operation_at(WorldNode& node, ShardId shard);
  bool make_pool(WorldNode& node, Operation& operation);
  bool put(Client& client, WorldNode& node, Operation& operation);
  void begin_put(Client& client, Operation& operation);
  Status send(WorldNode& node, const Operation& operation);
  // Its answer is waited for, but not for ever.
  void await(size_t client);
  void retry_later(size_t client);
  void retry(size_t client);
  bool read(WorldNode& node, Operation& operation);
  bool submit_by_loop(Client& client, WorldNode& node, ShardId shard);
  void read_by_loop(WorldNode& node, Operation& operation);
  void put_by_loop(WorldNode& node, const Operation& operation);
  void ask_loop(WorldNode& node, const Operation& operation, const LoopEvent& event);
  bool are_loops_done() const;
  void record_late_puts(ShardId shard);
  void take_put(size_t client, const Completion& completion);
  void check_previous(const Acknowledged& ack);
  const std::vector<std::byte>& lend(WorldNode& node, Token token, std::vector<std::byte> value);
  void tell_wrong_bytes(const Operation& operation, Version version);
  void give_up(Client& client);
  void leave(ShardId shard);
  void finish_read(size_t client, const Operation& operation);
  void record(const Operation& operation);
  void after_answer(size_t client, bool ok);
  void check_shard(ShardId id, Shard& shard);
  void tell(const std::vector<RegisterOperation>& history);
  static std::string name_of(uint32_t key) { return "key/" + std::to_string(key); }
  static uint64_t place_of(ShardId shard, uint32_t key) { return uint64_t{shard} << 32 | key; }

  World& world_;
  SeededRandom loop_random_;      // of its own, so that other draws stay what they are
  const int64_t floods_percent_;  // of what is asked for; a script wants them at it all the time
  const Nanos thinks_;            // at most
  Nanos flood_until_ = 0;
  uint64_t flood_left_ = 0;
  std::vector<Client> clients_;
  std::vector<Acknowledged> acks_;
  std::vector<Shown> shown_;
  std::unordered_map<Token, Lent> lent_;
  std::map<ShardId, Shard> shards_;
  std::vector<ShardId> ids_;     // of those that the first layout has
  std::vector<ShardId> came_;    // later, with their subgroup
  std::vector<ShardId> extras_;  // of these, before they are taken away
  SeededRandom extra_random_;    // as loop_random_
  uint32_t layout_view_ = 0;
  uint64_t answered_in_extras_ = 0;
  std::map<ShardId, Nanos> last_answers_;
  std::unordered_map<Token, size_t> waiting_;  // the client of an operation under way
  std::map<Token, Operation> at_loops_;        // which have not answered, perhaps to nobody
  std::vector<Operation> late_puts_;           // went by way of a loop a short time ago
  std::vector<std::byte> loop_value_;
  Token next_token_ = kFirstToken + 1;
  uint64_t answered_ = 0;
  uint64_t reads_ = 0;
  uint64_t retries_ = 0;
  uint64_t checked_ = 0;  // operations in histories that were found linearizable
  bool ended_ = false;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_CLIENTS_H_
