// A member as its process sees it: the door between the event loop and the agent, log and query
// threads. What is not said to be for any thread is for one thread, the event loop's.
//
// Calls that take time answer by a row of drain() under the caller's token; see
// platform/bridge/native.ts, which this mirrors.
//
// Invariants
//  1. Whatever was admitted is answered, or the member is closed.
//  2. close() returns when no thread of the member runs and no read of another thread is under way.
#ifndef FRESHET_AGENT_MEMBER_H_
#define FRESHET_AGENT_MEMBER_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include "native/agent/agent.h"
#include "native/agent/job_thread.h"
#include "native/agent/log_recovery.h"
#include "native/agent/query.h"
#include "native/agent/shared_records.h"
#include "native/agent/surroundings.h"

namespace freshet {

// Values over this are not copied but read where they lie, until a `released` row.
inline constexpr size_t kBorrowThreshold = size_t{64} << 10;

struct MemberConfig {
  ClusterId cluster = {};
  Secret secret = {};
  NodeId node = 0;
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  TransportKind transport = TransportKind::kTcp;
  std::string data_folder;  // empty: no persistent shards
  // Of the native door; nullopt: there is none.
  struct Door {
    std::string host;
    uint16_t port = 0;  // 0: any free one
  };
  std::optional<Door> door;
  Nanos spin = 0;
  Nanos heartbeat = 50'000'000;
  Nanos silence = 1'200'000'000;
  size_t congested = kCongestedBytes;
};

// In the data folder; see view_host.h.
inline constexpr const char* kViewRecordName = "view";

class Member {
 public:
  // `wake_loop` is called by other threads when rows wait. kAddressInUse, kInvalidArgument (host,
  // times), kDataInUse, kWrongCluster, kNewerFormat, kDiskFailed.
  static Status open(const MemberConfig& config, std::function<void()> wake_loop,
                     std::shared_ptr<Member>& out,
                     std::shared_ptr<Surroundings> around = machine_surroundings());
  ~Member();
  // Stops the threads and syncs the logs. Idempotent.
  void close();
  bool is_closed() const { return closed_.load(std::memory_order_acquire); }
  uint16_t port() const { return port_; }
  uint16_t door_port() const { return door_port_; }  // 0: there is no native door
  // Clients of the native door may change what lies in this pool; an empty name: not any more.
  Status name_door_pool(PoolId pool, std::string name);
  // To a client whose trigger came by a row; take_message() has its frame.
  Status answer_trigger(uint64_t call, Status answer, Micros time);

  // For an owner without threads (surroundings.h), on one thread. A pass of the agent: what has
  // arrived and what was asked for; returns how much was done.
  int step();
  // When a pass is due although nothing happens, on the member's clock.
  Nanos due_at() const;
  // The next job of the job thread; false: none waits.
  bool run_job();
  bool has_log_work() const;
  int write_logs();  // a turn of the log thread
  Agent& agent() { return *agent_; }

  // Takes rows as the event loop does in each of its turns.
  size_t drain(double* rows, size_t count_max);
  // Takes rows for a loop that turns later, and lets it turn.
  size_t take_rows(double* rows, size_t count_max);
  void turn_loop() { shared_.loop_beat.fetch_add(1, std::memory_order_relaxed); }
  // Submissions and calls not answered yet.
  size_t outstanding() const { return outstanding_ + calls_; }
  std::optional<ResultBytes> take_result(Token token) { return shared_.results.take(token); }

  Status add_peer(const PeerAddress& address);
  Status forget_peer(NodeId node);
  Status send_message(NodeId node, Bytes message);
  std::optional<MemberMessage> take_message();

  // `cut_after`: what the log holds behind it is dropped, damaged or not; of persistent shards.
  Status open_shard(ShardId shard, bool persistent, size_t memory_max, Token token,
                    std::optional<LogPosition> cut_after = std::nullopt);
  // From the layout; of a shard that was opened, or found damaged.
  Status set_rules(ShardId shard, const ShardRules& rules, Token token);
  // As ShardHost::take_trace(): packed BlockSent.
  Status trace_blocks(ShardId shard, Token token);
  // Of one that runs no epoch here: its memory is given back, its log stays on disk. One that is
  // not open is no error. Subscriptions end without a word. kInvalidArgument: it runs.
  Status close_shard(ShardId shard, Token token);
  Status shard_state(ShardId shard, Token token);
  Status read_log(ShardId shard, LogPosition after, Store::SessionsRead sessions, size_t size_max,
                  Token token);
  // A record over kWholeRecordMax goes in pieces, of up to kPieceBytesMax. The first one is what
  // read_log() gives, asked for kLogBytesMax; the others as Store::read_piece.
  Status read_piece(ShardId shard, LogPosition after, uint64_t from, size_t size_max, Token token);
  Status append_log(ShardId shard, Bytes records, Token token);
  // The same of a record that comes in pieces, in order: `from` is where this one begins. The last
  // one's answer comes once it is synced. kConditionFailed: the one before it is not here.
  Status append_piece(ShardId shard, uint64_t from, Bytes piece, Token token);
  // Gives back the memory of a record of which no more pieces will come.
  Status drop_pieces(ShardId shard);
  // Of one that runs no epoch here; subscriptions end without a word. kInvalidArgument: it runs.
  Status cut_back(ShardId shard, LogPosition position, Token token);
  // Digests of what was applied here: JSON {end, checkpoints: [{epoch, sequence, version,
  // digest}]}.
  Status checkpoints(ShardId shard, Token token);
  Status prepare_epoch(EpochOptions options, Token token);
  Status start_epoch(ShardId shard, Epoch epoch, Token token);
  Status stop_epoch(ShardId shard, Token token);

  // The views (view_host.h). `encoded` as in core/view/view.h.
  Status begin_view(Bytes encoded, size_t ring_size, Token token);
  Status propose_view(Bytes encoded, Token token);
  // Has the members of the view go on without one that is too slow (Membership::accuse).
  Status accuse_member(NodeId node, Token token);
  // Tells members that make this one wait for so long in a shard (four heartbeats at the least), by
  // rows; 0: none.
  Status watch_lag(ShardId shard, Nanos patience);
  // The shards of the proposal with this vote are filled here.
  Status view_filled(uint64_t vote, size_t ring_size);
  // This member goes: the others take a view without it as soon as nothing is under way.
  Status leave_view();
  // A shard whose epoch ended beyond what was received here has been filled up to its end.
  Status caught_up(ShardId shard, Epoch epoch, Token token);
  // Ends all epochs, forgets the view and comes back to all peers as another incarnation.
  Status renew(Token token);
  std::shared_ptr<const ViewSnapshot> view() const { return shared_.view.get(); }
  uint64_t incarnation() const { return incarnation_; }
  bool holds_lease() const;

  struct Clocks {
    Micros wall = 0;     // that stamps come from: read at the start, then counted on
    Micros machine = 0;  // the machine's wall clock now
    Micros newest = 0;   // the newest time that was stamped, or seen in an order
  };
  Clocks clocks() const;
  // As Agent::shift_wall().
  Status shift_clock(Micros by, bool anew);

  // `change` is copied, but for a value over kBorrowThreshold.
  Status submit(ShardId shard, const Change& change, Ack ack, Token token);
  // Good for the store that was there when it was asked (ShardView::store_generation): another one
  // may still be filled.
  Status wait_current(ShardId shard, bool persisted, Token token);
  Status set_dispatched(ShardId shard, Version version);

  Status scan(ScanRequest request, Token token);
  // As QueryRunner::read_version, on the job thread.
  Status read_version(ShardId shard, Version version, uint64_t from, uint64_t size_max,
                      Token token);
  Status read_cold(ShardId shard, uint64_t segment, uint64_t offset, uint32_t length, Token token);

  // Care for a log, of a shard that is open or was found damaged (member_logs.cc). kNotAMember: no
  // such persistent shard. `claimed` is the end that survey_log told: of use while it is damaged.
  Status survey_log(ShardId shard, std::optional<uint64_t> segment, LogPlace claimed, Token token);
  Status repair_log(ShardId shard, LogPlace hole, LogPlace claimed, Bytes records, Token token);
  Status scrub_log(ShardId shard, LogPlace from, size_t size_max, Token token);
  Status read_sound(ShardId shard, LogPosition after, uint64_t from, size_t size_max, Token token);
  // A log that failed is cut back to what was synced before, and the shard opened from it; one that
  // has not failed stays as it is. May be called again until it is kOk. kInvalidArgument: the shard
  // runs, or is subscribed to. kOverloaded: another such call is under way. kLogCorrupt: it ends
  // below what was synced, or is damaged otherwise.
  Status reopen_log(ShardId shard, Token token);

  Status subscribe(ShardId shard, uint64_t id, std::string prefix, Version from,
                   Store::SubscriptionFrontier frontier, EventShare share, Token token);
  Status unsubscribe(ShardId shard, uint64_t id);

  // Any thread.
  ShardView* find_shard(ShardId shard) const { return shared_.directory.find(shard); }
  const AgentCounters& counters() const { return shared_.counters; }
  SharedRecords& shared_records() { return shared_records_; }
  // Bytes of records and values that the caller's thread copied.
  void count_loop_copied(size_t bytes) {
    AgentCounters::add(shared_.counters.loopCopiedBytes, bytes);
  }
  void count_lambda_copied(size_t bytes) {
    shared_.counters.lambdaCopiedBytes.fetch_add(bytes, std::memory_order_relaxed);
  }
  // Brackets a read of another thread than the event loop's. False: closed.
  bool enter_read();
  void leave_read() { readers_.fetch_sub(1, std::memory_order_release); }

 private:
  Member(const MemberConfig& config, std::shared_ptr<Surroundings> around);
  Status start(std::function<void()> wake_loop);
  Status open_log();
  Status open_door();
  void wake_agent();
  Status call(AgentCall call, bool answers = true);
  using ReadJob = std::function<Status(ResultBytes& out)>;
  Status read_beside(ShardId shard, Token token, ReadJob read);
  Status post_read(ShardId shard, Token token, ReadJob read);
  // From other threads to the agent.
  void mail(AgentTask task);
  // `recovery`: what is to be cut.
  void recover(StoreConfig store, RecoveryConfig recovery, Token token);
  void let_go(ShardHost& host);
  void begin_reopen(ShardId shard, Token token);
  void end_reopen(ShardId shard, Token token);
  void bring_back(ShardId shard, uint64_t segment);
  // The log of a shard as it is when a job looks at it.
  struct LogAtHand {
    ShardView* view = nullptr;
    uint64_t generation = 0;
    std::optional<LogPlace> end;  // of an open one
  };
  using LogJob = std::function<Status(const LogAtHand& log, ResultBytes& out)>;
  Status post_log_job(ShardId shard, Token token, LogJob job);
  void write_view_record(std::vector<std::byte> record, uint64_t vote);
  void begin_close(ShardId shard, Token token);
  void begin_cut(ShardId shard, LogPosition position, Token token);
  void forget_log(ShardId shard, AgentTask then);
  uint64_t folder_cluster() const;
  uint64_t random_number();
  template <typename Command>
  Status put_command(CommandType type, const Command& command);

  const MemberConfig config_;
  const std::shared_ptr<Surroundings> around_;
  uint16_t port_ = 0;
  uint16_t door_port_ = 0;
  uint64_t incarnation_ = 0;
  AgentShared shared_;
  SharedRecords shared_records_;
  std::shared_ptr<FileSystem> files_;
  std::unique_ptr<DataFolder> folder_;
  // Agent's thread: logs that failed, up to where they were synced, until they are open again; and
  // those that reopen_log() opens.
  std::unordered_map<ShardId, Store::DurableAt> failed_at_;
  std::unordered_map<ShardId, StoreConfig> reopening_;
  std::unordered_map<ShardId, Token> reopens_;  // agent's thread: the call that is under way
  bool is_bringing_back_ = false;               // one segment at a time
  std::unique_ptr<LogWriter> log_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<QueryRunner> query_;
  std::unique_ptr<JobThread> jobs_;
  std::unordered_map<NodeId, std::shared_ptr<PeerView>> peers_;
  size_t outstanding_ = 0;
  size_t calls_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<bool> closed_{false};
  std::atomic<int> readers_{0};
  std::thread thread_;
};

// {shard, epoch, sequence, version, time, digest, persistent} as JSON.
ResultBytes describe_shard(const ShardHost& host);

}  // namespace freshet

#endif  // FRESHET_AGENT_MEMBER_H_
