// One incarnation of a member of a ViewGroup: Membership, replicas and stores as the product has
// them, with a clock and disks of its own, and an owner that does what core/view/membership.h asks
// of one: grants rows, makes epochs, fills them, answers.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_VIEW_PROCESS_H_
#define FRESHET_TEST_NATIVE_SUPPORT_VIEW_PROCESS_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "native/core/hybrid_clock.h"
#include "native/core/shard_replica.h"
#include "native/core/store/store.h"
#include "native/core/view/membership.h"
#include "test/native/support/view_ledger.h"
#include "test/native/support/view_network.h"

namespace freshet::test {

// How far a member is on its way to the next view.
enum class ViewStep : uint8_t {
  kIdle,
  kSuspecting,  // somebody
  kAcked,       // a proposal
  kWedged,      // in an epoch that ends
  kTrimmed,     // a trim is known, and not taken yet
  kDelivering,  // up to it
  kPrepared,
  kCommitted,  // not all have installed it yet
};
inline constexpr size_t kViewSteps = 8;

class ViewProcess;

// What all processes of a group share.
struct ViewWorld {
  EventHeap events;
  SeededRandom random;
  ViewNetwork network;
  ViewLedger ledger;
  MembershipLimits limits;    // of all members
  uint32_t slow_percent = 0;  // of owners, disks and records that take long
  size_t moves_left = 0;      // changes of shards that leaders make of their own
  size_t additions_left = 0;  // shards that they add
  size_t removals_left = 0;   // and take away
  uint64_t next_token = 1;
  uint64_t stores = 0;
  uint64_t behind = 0;                                // ends of epochs that were fetched
  bool trace = false;                                 // says what happens
  std::vector<std::shared_ptr<ViewProcess>> running;  // by node - 1; null: none
  std::function<void(NodeId)> on_outdated;
  std::function<void(ViewProcess&)> on_stepped;

  ViewWorld(uint64_t seed, uint32_t tear_percent)
      : random(seed), network(events, random, tear_percent) {}
};

class ViewProcess final : public ViewEndpoint {
 public:
  ViewProcess(ViewWorld& world, MemberId id);
  ~ViewProcess() override;

  // Its first view; else it is blank.
  void begin(const View& view);
  void start();
  // Nothing of it happens any more.
  void kill();
  void pause();
  void resume();
  // Its event loop stands still, its threads go on.
  void stall(Nanos time);
  void leave();
  // Has another one suspected. False: not now.
  bool accuse(NodeId node);

  const MemberId& id() const { return id_; }
  bool alive() const { return alive_; }
  bool paused() const { return paused_; }
  const Membership& membership() const { return *membership_; }
  DiskSpace disk() const;
  bool is_blank() const { return membership_->view().number == 0; }
  bool is_leaving() const { return leaving_; }
  ViewStep step_now() const;
  uint32_t installed() const { return membership_->view().number; }
  // May it answer now for what it holds?
  bool holds_lease() const { return clock() < membership_->lease_until(); }
  // The leaders for whom it was asked to prepare a view that follows its own.
  SeatSet asked_by() const { return asked_by_; }
  // A replica that runs and has all of the shard's history; null: none.
  const ShardReplica* replica(ShardId shard) const;
  Store* store(ShardId shard);
  bool puts_at(ShardId shard) const;
  // Clients. Tokens are given from world.next_token.
  Token put(ShardId shard, size_t value_size, Ack ack);
  void read(ShardId shard);
  bool is_answered(Token token) const { return !puts_.contains(token); }
  bool settled(const View& view) const;
  std::string describe() const;

  void on_link_up(const MemberId& peer) override;
  void on_link_down(NodeId peer) override;
  void on_write(NodeId from, const RegionId& region, uint64_t offset, Bytes bytes) override;

 private:
  struct Host {  // of a shard
    std::unique_ptr<Store> store;
    std::unique_ptr<ShardReplica> replica;
    std::unique_ptr<ShardReplica> next;  // of the proposal
    uint64_t life = 0;                   // of the store
    Nanos disk_free = 0;
    size_t unsynced = 0;  // batches
    Version checked = 0;
  };
  struct Read {
    ShardId shard;
    Epoch epoch;
    Version floor;
    bool persisted;
  };
  struct Grant {
    NodeId writer;
    RegionId id;
    MutableBytes memory;
  };

  // view_process.cc
  Nanos clock() const;
  void later(Nanos delay, std::function<void()> what);
  void wake(Nanos delay);
  void tick();
  void step();
  void flush();
  void note_row(const RegionWrite& write);
  void complete(const Completion& completion);
  void finish_read(const Read& read, Version value);
  void sync(ShardId shard, Host& host);
  void grant(const std::vector<GrantedRegion>& regions);
  void revoke(const ShardReplica& replica);
  void revoke(const RegionRevoke& revoked);
  Host& host(ShardId shard);

  // view_owner.cc
  void take_events();
  void own();
  void prepare();
  void make_store(Host& mine, const ViewShard& shard);
  void drop_store(Host& mine);
  void make_next(const View& view, size_t index);
  bool is_current(uint64_t vote) const { return vote == membership_->vote(); }
  void fill(ShardId shard, Epoch epoch);
  void fill_behind();
  ViewProcess* donor_of(ShardId shard, Epoch before, uint32_t number);
  bool copy_from(ViewProcess& donor, ShardId shard, Epoch before);
  void check_prepared(uint64_t vote);
  void installed_one();
  void drop_next(Host& host);
  void end_replica(ShardId shard, Host& host);
  void say();
  void consider_proposal();
  bool let_in(View& next);
  bool add_shard(View& next);
  bool take_away(View& next);
  bool move_shard(View& next);
  Nanos owner_delay();

  ViewWorld& world_;
  const MemberId id_;
  const Nanos offset_;
  const int64_t drift_ppm_;
  bool alive_ = true;
  bool paused_ = false;
  bool leaving_ = false;
  bool step_due_ = false;
  bool owning_ = false;
  Nanos stalled_until_ = 0;
  uint64_t loop_beat_ = 1;
  uint32_t installed_ = 0;
  SeatSet asked_by_ = 0;
  HybridClock hybrid_;
  std::unique_ptr<Membership> membership_;
  std::map<ShardId, Host> hosts_;
  std::vector<Grant> grants_;
  std::map<NodeId, bool> opened_;
  std::vector<MembershipEvent> events_;
  std::vector<std::function<void()>> deferred_;
  std::vector<uint64_t> row_;  // mine, as I pushed it
  Outputs out_;
  uint64_t asked_ = 0;      // the vote of the last kPrepare
  uint64_t preparing_ = 0;  // the vote
  View prepared_view_;      // whose epochs are being made
  std::vector<std::pair<ShardId, Epoch>> to_make_;
  bool recording_ = false;
  std::string told_;
  std::map<Token, Read> reads_;
  std::map<Token, ShardId> puts_;
  std::map<Token, std::vector<std::byte>> lent_;  // values that a replica may still read
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_VIEW_PROCESS_H_
