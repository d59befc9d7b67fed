// A whole cluster in one thread: replicas of one or more shards over the simulated network, stepped
// from one event heap and one seed, with random clients and checkers. See simulation_test.cc.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_CLUSTER_H_
#define FRESHET_TEST_NATIVE_SUPPORT_CLUSTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "native/core/hybrid_clock.h"
#include "native/core/shard_replica.h"
#include "native/core/store/store.h"
#include "native/io/seeded_random.h"
#include "native/io/simulated_network.h"
#include "native/io/simulated_transport.h"

namespace freshet::test {

inline constexpr Token kWaitBit = Token{1} << 63;  // in the tokens of waiting reads

// A fault in the harness that a checker must find.
enum class Canary : uint8_t {
  kNone,
  kDeliverEarly,  // one member's table claims that another has received all
  kEarlyAck,      // a sync is reported before it happened
  kLostWrite,     // a ring write vanishes
  kLostBlock,     // a block of a large record vanishes
  kForgetAnswer,  // a completion is dropped
  kWrongValue,    // a byte of a received payload changes after it was checked
};

struct ClusterConfig {
  uint64_t seed = 1;
  size_t members = 3;
  size_t shards = 1;
  size_t operations = 400;  // of the whole cluster
  size_t ring_size = kRingSizeMin;
  size_t value_max = 2000;
  uint32_t large_percent = 2;  // values of up to four rings
  MulticastAlgorithm multicast = MulticastAlgorithm::kBinomial;
  uint32_t block_size = 16 << 10;
  uint32_t tear_percent = 20;
  uint32_t slow_percent = 20;  // chance that a member is slow
  uint32_t cuts = 2;           // one-way cuts, healed again
  bool persistent = true;
  bool all_send = false;  // else a random choice
  Canary canary = Canary::kNone;
};

struct ClusterResult {
  uint64_t trace = 0;
  uint64_t completions = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;  // by condition
  uint64_t overloaded = 0;
  uint64_t large = 0;
  uint64_t nulls = 0;  // sequences that took no record
  std::vector<std::string> violations;
};

class Cluster {
 public:
  explicit Cluster(ClusterConfig config);
  ~Cluster();
  ClusterResult run();

 private:
  struct Operation {  // one submission
    size_t member;
    size_t shard;
    RecordKind kind;
    Ack ack;
    std::string key;
    std::vector<std::byte> meta;   // names the operation in the record
    std::vector<std::byte> value;  // what readers must find
    std::vector<std::byte> lent;   // the copy that the replica may read until released
    bool large = false;
    Condition condition;
    SessionStamp session;
    bool accepted = false;  // by submit()
    int answers = 0;
    int releases = 0;
    Completion answer = {};
  };
  struct Sync {
    Nanos at;
    LogBatch batch;
    Version version;  // newest when the batch was closed
  };
  struct Wait {
    int answers;
    size_t shard;
    Sequence received;  // when it began
    bool persisted;
    Version acknowledged;  // anywhere, when it began
  };
  struct Cut {
    NodeId from;
    NodeId to;
    Nanos heal_at;  // 0: healed
  };
  // Revoked, and may be written for so many passes, as far as the replica knows.
  struct Leaving {
    RegionRevoke revoke;
    uint64_t passes;
  };
  struct Replica {
    std::unique_ptr<Store> store;
    std::unique_ptr<ShardReplica> replica;
    std::vector<Rank> senders;
    std::vector<Sync> syncs;     // on their way to the disk, in order
    Version synced_version = 0;  // truly on the disk
    uint64_t forged = 0;         // by a canary
    bool stop_reported = false;
    Sequence delivered_seen = -1;
    Sequence persisted_seen = -1;
    std::vector<GrantedRegion> regions;
    std::vector<Leaving> leaving;
  };
  struct Member {
    NodeId node;
    HybridClock clock;
    std::unique_ptr<SimulatedTransport> transport;
    std::vector<Replica> replicas;  // by shard
    Outputs out;
    Micros clock_offset = 0;
    Nanos pace = 0;    // between steps
    bool busy = true;  // the last turn did something
  };
  struct Turn {
    Nanos at;
    uint64_t order;
    size_t member;
    bool operator<(const Turn& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  void build();
  void add_replica(Member& member, size_t shard, const std::vector<Rank>& senders);
  void turn(size_t member);
  int step_replica(size_t member, size_t shard);
  void apply_outputs(Member& member, Replica& replica);
  int sync(Replica& replica);
  int end_grants(Replica& replica);
  void submit_some(size_t member);
  void submit_one(size_t member);
  Operation make_operation(size_t member);
  Operation make_retry(size_t member);
  Operation make_rules(size_t member, size_t shard);
  void wait_some(size_t member);
  void cut_some();
  void harm(size_t member, Replica& replica);
  bool quiet() const;

  void violation(const std::string& text);
  void check_frontiers(size_t member, size_t shard);
  void check_completion(const Completion& completion, const Replica& replica);
  static Sequence first_unsynced(const Replica& replica);
  void check_applied(size_t shard, const std::set<uint64_t>& seen);
  void check_answers();
  void check_ends(size_t shard);
  void check_histories(size_t shard);
  void check_records(size_t shard);
  void check_rows(size_t shard);

  ClusterConfig config_;
  SeededRandom random_;
  SimulatedNetwork network_;
  std::vector<std::unique_ptr<Member>> members_;
  std::priority_queue<Turn> turns_;
  uint64_t order_ = 0;
  std::vector<std::unique_ptr<Operation>> operations_;  // token = place + 1
  std::map<Token, Wait> waits_;
  std::map<size_t, Version> acknowledged_;  // newest version that anyone was told, by shard
  std::set<size_t> rules_sent_;             // shards whose pool rules are under way
  std::vector<Cut> cuts_;
  size_t cuts_open_ = 0;
  std::map<uint64_t, uint64_t> session_next_;
  size_t canary_countdown_ = 50;
  ClusterResult result_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_CLUSTER_H_
