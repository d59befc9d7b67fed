// Real members in one process: agent, log and job threads, tcp over loopback, files; no JavaScript.
//
// Threads: a TestMember is for one thread at a time, which stands for its member's event loop; a
// MemberGroup stands for all three loops at once.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_MEMBER_GROUP_H_
#define FRESHET_TEST_NATIVE_SUPPORT_MEMBER_GROUP_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "native/agent/member.h"

namespace freshet::test {

inline constexpr ShardId kGroupShard = 1;
inline constexpr PoolId kGroupPool = 1;
inline constexpr const char* kGroupPoolName = "/k";
inline constexpr size_t kGroupRing = size_t{256} << 10;

struct PutAnswer {
  Status status = Status::kOk;
  Version version = 0;
};
struct HeardEvent {
  uint64_t subscription;
  Version version;
};
struct PeerRow {
  NodeId node;
  int state;  // 1 up, 0 down, 2 refused
  Status status;
};
struct StoppedRow {
  ShardId shard;
  Status status;
  NodeId lost;
};
struct ShardState {
  LogPosition last;
  Version version = 0;
  std::string digest;
};

class TestMember {
 public:
  TestMember(NodeId node, std::string folder, uint8_t cluster = 1, uint8_t secret = 2)
      : node_(node), folder_(std::move(folder)), cluster_(cluster), secret_(secret) {}
  ~TestMember() { close(); }

  Status open();
  void close();
  // For the next open().
  void set_heartbeat(Nanos heartbeat) { heartbeat_ = heartbeat; }
  Member& member() { return *member_; }
  NodeId node() const { return node_; }

  // Takes the rows that wait; returns how many.
  size_t drain();
  // Drains until `done`, sleeping until woken. False: nothing came of it in a minute.
  bool until(const std::function<bool()>& done);

  Token next_token() { return ++tokens_; }
  // The result of a call that was made with `token`.
  Status finish(Status called, Token token);

  // Puts; waits for room in the command ring if need be. With Ack::kNone nothing is answered.
  Token put(const std::string& key, std::string value, Ack ack);
  Token control(const std::string& key, Bytes value);
  bool is_answered(Token token) const { return answers.contains(token); }

  Status open_shard(bool persistent);
  Status prepare_epoch(Epoch epoch, const std::vector<NodeId>& members,
                       size_t ring_size = kGroupRing);
  ShardState state();
  // The newest value of a key or the record of a version, read on this thread; empty: none.
  std::string newest(const std::string& key);
  bool holds(Version version, const std::string& key, const std::string& value);

  std::unordered_map<Token, PutAnswer> answers;
  std::unordered_map<Token, Status> results;
  std::vector<HeardEvent> events;
  std::vector<PeerRow> peers;
  std::vector<StoppedRow> stopped;
  size_t released = 0;
  std::vector<uint64_t> triggers;  // calls of the native door
  size_t messages = 0;             // of members and clients
  std::optional<MemberMessage> newest_message;
  std::string trouble;  // what no member may do; empty: nothing

 private:
  void take_row(const double* row);
  Token submit(Change change, std::string value, Ack ack);

  const NodeId node_;
  const std::string folder_;
  const uint8_t cluster_;
  const uint8_t secret_;
  Nanos heartbeat_ = MemberConfig().heartbeat;
  std::mutex mutex_;  // guards woken_
  std::condition_variable changed_;
  bool woken_ = false;
  std::shared_ptr<Member> member_;
  std::unique_ptr<ShardReaders> readers_;
  Token tokens_ = 0;
  std::unordered_map<Token, std::string> held_;  // values until they are released
};

// Members 1, 2 and 3 of one cluster with one shard.
class MemberGroup {
 public:
  explicit MemberGroup(bool persistent);
  ~MemberGroup();

  // Opens members and shard, connects everyone.
  void open();
  // Prepares everywhere, then starts everywhere.
  void start(Epoch epoch, size_t ring_size = kGroupRing);
  void make_pool();
  void close();
  TestMember& operator[](size_t index) { return *members_[index]; }
  size_t size() const { return members_.size(); }
  // Drains all until `done`.
  bool until(const std::function<bool()>& done);
  // Waits until everyone has applied `version`.
  bool reaches(Version version);
  // Are all states equal, and nothing wrong at anyone?
  void expect_alike();

 private:
  const bool persistent_;
  std::string folder_;
  std::vector<std::unique_ptr<TestMember>> members_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_MEMBER_GROUP_H_
