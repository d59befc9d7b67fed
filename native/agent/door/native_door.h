// The native door: clients that speak with the agent's thread, so that no put, get or event waits
// for an event loop. "The native door" in native/README.md has the protocol.
//
// Thread: the agent's.
// Invariants
//  1. Every request that was taken is answered once, or its connection is gone.
//  2. Memory that a shard reads stays until the shard has released it, whoever is gone.
//  3. What one client asks for is bounded; beyond that it is not read from, and nobody else waits.
#ifndef FRESHET_AGENT_DOOR_NATIVE_DOOR_H_
#define FRESHET_AGENT_DOOR_NATIVE_DOOR_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "native/agent/door/door_connection.h"
#include "native/agent/door/pool_names.h"
#include "native/agent/shard_host.h"

namespace freshet {

struct DoorConfig {
  ClusterId cluster = {};
  Secret secret = {};
  NodeId node = 0;
  std::string host = "127.0.0.1";  // numeric
  uint16_t port = 0;               // 0: any free one
  std::function<Micros()> wall;    // tickets end by it
  std::function<void(MutableBytes)> fill_random;
};

class NativeDoor final : public DoorAnswers {
 public:
  // kAddressInUse, kInvalidArgument (host), kPeerUnreachable (no sockets left).
  static Status open(DoorConfig config, std::unique_ptr<NativeDoor>& out);
  ~NativeDoor() override;

  uint16_t port() const { return port_; }
  // Readable when a client has said something, or may be answered: on_ready() is to be called.
  int descriptor() const { return epoll_.get(); }
  void on_ready() { ready_ = true; }

  using Find = std::function<ShardHost*(ShardId)>;
  // Takes a copy of a trigger's frame to the event loop. False: there is no room.
  using HandOver = std::function<bool(uint64_t call, Bytes frame)>;
  // Before the first pass. `find` null: not known here.
  void attach(Find find, HandOver hand_over) {
    find_ = std::move(find);
    hand_over_ = std::move(hand_over);
  }

  // Clients may change what lies in these. An empty name: no such pool is left.
  void name_pool(PoolId pool, std::string name) { pools_.set(pool, std::move(name)); }

  // Beginning of a pass: takes what clients ask for; `view` is the number of the one installed.
  // Returns how much was done.
  int take(Nanos now, uint32_t view);
  // After the shards: what is watched and happened. Returns how much was done.
  int collect(Nanos now);
  // End of a pass.
  int send();
  // When a pass is due although nothing happens; INT64_MAX: never.
  Nanos due_at() const { return timer_; }
  // The event loop's, to a trigger that was handed over; any other number is let pass.
  void answer_trigger(uint64_t call, Status status, Micros time);
  // Connections, for tests and counters.
  size_t size() const { return connections_.size(); }

  // DoorAnswers
  void on_answer(const Completion& done) override;
  void on_released(Token token) override;

 private:
  using Connection = door::DoorConnection;

  enum class RequestKind : uint8_t { kChange, kGet, kWatch, kTrigger };
  static constexpr uint32_t kNone = UINT32_MAX;

  // What a client waits for, or a shard reads.
  struct Request {
    Connection* connection = nullptr;  // null: gone
    double number = 0;
    bool answers = false;  // an answer is to come
    RequestKind kind = RequestKind::kChange;
    bool looks_up = false;                // of a change whose answer lacks the key's version before
    std::unique_ptr<std::byte[]> memory;  // of a large frame, until it is released
    size_t memory_size = 0;
    size_t change_bytes = 0;
    size_t trigger_bytes = 0;
    ShardId shard = 0;
    // Of a get.
    ReadPoint point;
    bool wants_value = false;
    std::string key;
    uint32_t watch = kNone;  // of one that begins; none: it was given up
  };
  // What a client hears of.
  struct Watch {
    Connection* connection = nullptr;  // null: a free place
    double number = 0;
    ShardId shard = 0;
    std::string prefix;
    Store::SubscriptionFrontier frontier = Store::SubscriptionFrontier::kDelivered;
    Token starting = 0;       // the request that it waits for; 0: it runs
    Version next = 0;         // not told yet, nor anything after it
    uint64_t generation = 0;  // of the store that it listens to
    bool subscribed = false;
    bool paused = false;  // while the client is behind
    double credit = 0;
    double told = 0;
  };

  struct Read {
    double number;
    door::ReadLevel level;
    ReadPoint point;
    bool wants_value;
    std::string_view key;
  };

  explicit NativeDoor(DoorConfig config);
  Status start();
  void take_readiness();
  void accept_waiting(Nanos now);
  void give_way();
  void run_timers(Nanos now);
  void tell_view(uint32_t view);
  size_t serve(Connection& connection, Nanos now);
  bool may_take(const Connection& connection) const;

  // False: not now, the frame stays. A frame that is none closes the connection.
  bool take_frame(Connection& connection, Bytes frame, Nanos now);
  void take_hello(Connection& connection, Bytes frame, Nanos now);
  void take_proof(Connection& connection, Bytes frame, Nanos now);
  bool take_change(Connection& connection, Bytes frame, Nanos now);
  void take_get(Connection& connection, Bytes frame);
  void take_trigger(Connection& connection, Bytes frame);
  void take_watch(Connection& connection, Bytes frame);
  void take_unwatch(Connection& connection, Bytes frame);
  void take_credit(Connection& connection, Bytes frame);

  Request& make_request(Connection& connection, double number, Token& token);
  void answered(Token token);
  void free_request(Token token);
  void look_up(ShardId shard, Completion& done) const;
  void answer_get(Token token);
  void push_read(Connection& connection, ShardHost& host, const Read& read);
  void push_done(Connection& connection, double number, const Completion& done);
  void push_failed(Connection& connection, double number, Status status);
  uint32_t find_watch(const Connection& connection, double number) const;
  void begin_watch(Token token, Status status);
  // Hears of versions from watch.next on, if the client can take them.
  Status listen(uint32_t at, ShardHost& host);
  void stop_listening(uint32_t at);
  void resume_watches();
  void list_shards();
  void end_watch(uint32_t at, Status status);
  void free_watch(uint32_t at);
  bool has_room(const Watch& watch) const;
  void tell(const SubscriptionEvent& event, ShardHost& host);
  void bury_dead();

  DoorConfig config_;
  tcp::FileDescriptor epoll_;
  tcp::FileDescriptor listener_;
  uint16_t port_ = 0;
  Find find_;
  HandOver hand_over_;
  door::PoolNames pools_;
  bool ready_ = true;
  bool accepting_ = true;
  uint32_t view_ = 0;
  Nanos timer_ = INT64_MAX;
  size_t next_ = 0;  // who is served first
  size_t large_bytes_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Request> requests_;
  std::vector<uint32_t> free_;
  size_t request_count_ = 0;
  size_t triggers_ = 0;  // of those
  std::vector<Watch> watches_;
  std::vector<uint32_t> free_watches_;
  std::vector<SubscriptionEvent> events_;
  std::vector<ShardId> shards_;  // that are listened to
  bool listeners_changed_ = false;
  size_t paused_ = 0;  // watches whose clients are behind
  Nanos look_at_ = 0;  // whether watched shards are still here
};

}  // namespace freshet

#endif  // FRESHET_AGENT_DOOR_NATIVE_DOOR_H_
