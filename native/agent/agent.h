// The duty cycle of a member: takes what arrived and what the event loop asks for, steps the shards
// that have input, hands their writes to the transport and their answers to the event loop.
//
// Thread: one, its own. It never waits for another thread; the only place where it waits at all is
// the transport's poll, when there is nothing to do.
// Invariants
//  1. Writes that a pass made go out in the next poll, before it waits.
//  2. A lost peer is the view's affair; without a view it ends every epoch that has it as a member.
//  3. The event loop is woken at most once between two of its drains.
#ifndef FRESHET_AGENT_AGENT_H_
#define FRESHET_AGENT_AGENT_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "native/agent/agent_counters.h"
#include "native/agent/command.h"
#include "native/agent/door/native_door.h"
#include "native/agent/log_segment.h"
#include "native/agent/mailbox.h"
#include "native/agent/shard_host.h"
#include "native/agent/shard_log.h"
#include "native/agent/spsc_ring.h"
#include "native/agent/view_host.h"

namespace freshet {

struct AgentConfig {
  NodeId node = 0;
  uint64_t incarnation = 0;
  Nanos spin = 0;
  Nanos heartbeat = 50'000'000;
  Nanos silence = 1'200'000'000;
  Nanos lease = 400'000'000;
  size_t congested = kCongestedBytes;
  std::function<Nanos()> now;    // monotonic, counts while the machine sleeps
  std::function<Micros()> wall;  // hybrid clocks start from it; read once, then counted on
  // Writes a view record; views().recorded(vote), or not_recorded(vote), follows on this thread.
  // Null: there is no disk.
  std::function<void(std::vector<std::byte> record, uint64_t vote)> write_record;
};

// What the agent shares with other threads. Outlives it.
struct AgentShared {
  SpscRing commands;
  RowRing rows;
  Mailbox mailbox;
  Results results;
  Inbox inbox;
  ShardDirectory directory;
  AgentCounters counters;
  HybridClock clock;
  std::atomic<bool> asleep{false};
  // The agent: in its last pass rows, or messages, for the event loop found no room.
  std::atomic<bool> wants_rows{false};
  std::atomic<bool> wants_inbox{false};
  std::atomic<uint64_t> loop_beat{0};  // turns of the event loop
  // In the agent's time; without a view nobody can go on without this member.
  std::atomic<Nanos> lease_until{INT64_MAX};
  SharedView view;
  std::function<void()> wake_loop;  // any thread may call it

  AgentShared();
  // What the agent wants has come to be.
  bool has_rows() const { return wants_rows.load() && rows.shown_room() > kRowReserve; }
  bool has_inbox() const { return wants_inbox.load() && !inbox.is_full(); }
};

class Agent {
 public:
  Agent(AgentConfig config, AgentShared& shared, Transport& transport, LogWriter* log);
  ~Agent();

  // Polls and works until `stop`; then ends all epochs and closes the logs' last batches.
  void run(const std::atomic<bool>& stop);
  // A poll that does not wait, and a pass: for an owner that steps the agent itself.
  int step();
  // When a pass is due although nothing happens.
  Nanos due_at() const;
  // One pass over everything but the transport's poll. Returns how much was done.
  int do_work(Nanos now);

  // Before the first pass: clients come in by it. False: this transport cannot wait for them.
  bool open_door(std::unique_ptr<NativeDoor> door);
  NativeDoor* door() { return door_.get(); }  // null: there is none

  // For calls of the event loop (CommandType::kTask) and mail.
  Transport& transport() { return transport_; }
  PeerLinks& links() { return links_; }
  ViewHost& views() { return views_; }
  Status add_peer(const PeerAddress& address, std::shared_ptr<PeerView> view);
  // Starts the prepared epochs of a view that all its members begin with.
  Status begin_view(const View& view, size_t ring_size);
  // Ends all epochs and forgets the view.
  void renew(uint64_t incarnation);
  // The wall clock that stamps come from. Any thread may ask.
  Micros wall(Nanos now) const {
    return wall_start_.load(std::memory_order_relaxed) + (now - now_start_) / 1000;
  }
  // It goes on from `by` later, or earlier; times go on growing. `anew`: times that were seen on
  // the way are forgotten too, but those in stores; not while an epoch is prepared.
  void shift_wall(Micros by, bool anew);
  AgentShared& shared() { return shared_; }
  ShardHost* find(ShardId shard);
  // Makes the shard known, not open yet; null: too many.
  ShardHost* add_shard(ShardId shard, bool persistent);
  void answer(Token token, Status status);
  void answer(Token token, Status status, ResultBytes&& bytes);
  void answer(Token token, ResultBytes&& bytes) { answer(token, Status::kOk, std::move(bytes)); }
  void subscribe(ShardId shard, uint64_t id, std::string_view prefix, Version from,
                 Store::SubscriptionFrontier frontier, EventShare share, Token token);
  void unsubscribe(ShardId shard, uint64_t id);
  void stop_epoch(ShardHost& host, Status reason, NodeId lost, bool report);
  // Null for volatile shards.
  ShardLog* log_of(ShardId shard);
  // The store is there: recovered, made, or cut back.
  void open_shard(ShardHost& host, std::shared_ptr<Store> store);
  // Lets go of the store, to be opened again.
  void close_shard(ShardHost& host);
  // The log thread lets go of a closed shard's files, then `then` runs here. False: try again.
  bool forget_log(ShardId shard, AgentTask then);
  void append_log(ShardId shard, ResultBytes&& records, Token token);
  void append_piece(ShardId shard, uint64_t from, Bytes piece, Token token);
  // What came of a record that will not come whole.
  void drop_pieces(ShardId shard);
  void report_damage(ShardId shard, Status status, uint64_t segment, uint64_t offset);
  void forget_peer(NodeId node);

 private:
  // Records of another member on their way into a store, a slice in each pass.
  struct Append {
    ShardId shard;
    ResultBytes records;
    size_t at;
    Token token;
  };

  // A record of another member that comes in pieces.
  struct Incoming {
    MutableBytes room;
    uint64_t filled;
    PieceCheck check;
  };

  ViewHost::Context view_context();
  int take_peer_events(Nanos now);
  int take_appends();
  Status begin_incoming(ShardHost& host, Bytes piece);
  void end_append(ShardId shard, Status status, Token token);
  int take_mail();
  int take_commands(Nanos now);
  void take_command(CommandType type, MutableBytes body, Nanos now);
  ShardHost& find_known(ShardId shard);
  void mark_touched();
  int step_shards(Nanos now);
  int step_views(Nanos now);
  int step_messages();
  // Of a client at the native door, to the event loop. False: too much waits for it.
  bool hand_over(uint64_t call, Bytes trigger);
  int collect_events();
  int run_logs(bool idle);
  int maintain(bool idle);
  void look_at_disks();
  void note_disk(NodeId node, const DiskSpace& space);
  void run_timers(Nanos now);
  void ask_loop(Nanos now);
  void watch_lag(Nanos now);
  bool look_at_backlogs(Nanos now);
  void drop_retired();
  void lose(NodeId node);
  Nanos wait_time(Nanos now) const;
  void end();

  const AgentConfig config_;
  AgentShared& shared_;
  Transport& transport_;
  LogWriter* const log_;  // null: no persistent shards
  RowOutput rows_;
  Callers callers_;
  PeerLinks links_;
  ViewHost views_;
  std::unique_ptr<NativeDoor> door_;  // null: there is none
  std::vector<Retired> retired_;
  std::unordered_map<ShardId, std::unique_ptr<ShardHost>> hosts_;
  std::vector<ShardHost*> order_;  // the hosts, for passes over all
  std::unordered_map<ShardId, std::unique_ptr<ShardLog>> logs_;
  std::unordered_map<ShardId, AgentTask> forgetting_;
  std::deque<Append> appends_;
  std::unordered_map<ShardId, Incoming> incoming_;
  std::vector<PeerEvent> peer_events_;
  std::vector<RegionId> touched_;
  std::vector<MemberMessage> messages_;
  std::vector<SubscriptionEvent> events_;
  bool links_dirty_ = false;
  bool to_maintain_ = false;                 // a store has more to clean up
  bool lacks_rows_ = false;                  // in this pass: room for rows
  bool lacks_inbox_ = false;                 // and for messages
  std::map<NodeId, DiskSpace> short_disks_;  // of members whose disks have not room enough
  size_t subscriptions_ = 0;
  size_t next_collector_ = 0;
  size_t next_stepped_ = 0;
  const Nanos now_start_;
  std::atomic<Micros> wall_start_;
  Nanos beat_at_ = 0;
  uint64_t loop_turns_ = 0;
  Nanos loop_turned_ = 0;
  Nanos idle_since_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_AGENT_H_
