// The fabric connection to one peer, from the control connection on: endpoints find each other,
// grants are told, then writes flow. It ends once and for all; the next control connection has
// another.
//
//   direct providers (verbs, shm)   writes go straight into the granted memory; each is announced
//                                   by a message behind it, at most one a flush
//   the others (tcp)                writes travel in messages and are put in place when they are
//                                   there whole
//
// Thread: the agent's.
// Invariants
//  1. What a peer writes takes effect in the order of its calls, messages included.
//  2. Nothing is written here before kUp was reported, nor after shut().
//  3. What was revoked is deregistered only once the peer has sent its last write to it.
//  4. Messages never outnumber the other side's receives, so neither end can block the other.
#ifndef FRESHET_IO_FABRIC_LINK_H_
#define FRESHET_IO_FABRIC_LINK_H_

#include <unordered_map>

#include "native/io/fabric/endpoint.h"
#include "native/io/fabric/message.h"
#include "native/io/fabric/outbox.h"

namespace freshet::fabric {

// What a link asks of the transport that has it.
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  virtual uint64_t random() = 0;
  // The granted memory, exactly `length` bytes; empty: none, which is counted.
  virtual MutableBytes find_region(NodeId peer, const RegionId& id, uint64_t offset,
                                   size_t length) = 0;
  virtual void on_ready(NodeId peer) = 0;
};

class Link final : private MessageSink {
 public:
  enum class State : uint8_t {
    kBooting,     // the other side's boot is awaited
    kConnecting,  // its endpoint is
    kOpen,        // messages go; its grants are awaited
    kUp,          // writes go
    kBroken,
  };

  Link(NodeId node, uint64_t incarnation, const Provider& provider, LinkOwner& owner,
       TransportCounters& counters, Nanos now);
  ~Link() { shut(); }

  State state() const { return state_; }
  Status fault() const { return fault_; }  // why it broke, where it was not the peer
  NodeId node() const { return node_; }
  uint64_t incarnation() const { return incarnation_; }
  Nanos deadline() const { return deadline_; }
  const Boot& boot() const { return mine_; }
  Endpoint* endpoint() const { return endpoint_.get(); }

  // The other side's boot: what is dialled, or who is awaited.
  void on_boot(const Boot& theirs, bool dials);
  // A connection asked for: is it the peer's?
  bool is_proven_by(Bytes proof) const;
  void on_request(fi_info& request);
  void on_connected();
  void on_closed();
  // Its owner told kUp: the peer may write.
  void confirm();
  void shut();

  void grant(const RegionId& id, MutableBytes memory);
  void revoke(const RegionId& id);
  bool has_late_writes() const { return leaving_.size() > 0; }
  bool is_leaving(const RegionId& id) const;

  void write(const RegionId& id, uint64_t offset, Bytes bytes, bool stable);
  size_t backlog() const { return outbox_.size() + (endpoint_ ? endpoint_->under_way() : 0); }
  size_t backlog_copied() const { return outbox_.copied_size(); }
  // Cannot send more although it wants to.
  bool is_stuck() const { return stuck_; }

  // Takes in what has arrived; returns how much was moved.
  size_t receive();
  // Sends what is queued, as far as it goes.
  size_t send();

  // Providers without a descriptor to wait on: tells the peer that this member may sleep (once,
  // until it wakes us); whether the peer sleeps and there is something for it.
  bool show_asleep();
  void on_wake() { shown_asleep_ = false; }
  bool take_sleeper();

 private:
  struct Grant {
    Registered memory;
    uint32_t number = 0;
  };
  struct Leaving {
    RegionId region;
    Registered memory;
  };
  struct Remote {
    uint32_t number = 0;
    uint64_t address = 0;
    uint64_t key = 0;
    uint64_t length = 0;
  };

  bool is_direct() const { return provider_.traits().direct; }
  bool is_open() const { return state_ == State::kOpen || state_ == State::kUp; }
  void break_up(Status fault = Status::kOk);
  void open();
  // MessageSink
  bool on_message(Bytes message) override;
  bool on_frame(FrameType type, Bytes body);
  bool on_grant(const GrantBody& body);
  bool on_write(const WriteBody& head, Bytes bytes);
  void on_revoke(const RevokeBody& body);
  bool on_revoked(const RevokeBody& body);

  bool may_send(size_t reserve) const { return sent_ - taken_there_ + reserve < kReceives; }
  bool begin_message(size_t reserve);
  bool send_write(const Outbox::Front& front);
  bool send_in_message(const Outbox::Front& front);
  bool send_message(uint32_t flags);
  void append(FrameType type, Bytes head, Bytes body);
  size_t room() const { return message_.size() - filled_; }
  bool has_missed() const { return unannounced_ || loud_ > taken_there_; }

  const NodeId node_;
  const uint64_t incarnation_;
  const Provider& provider_;
  LinkOwner& owner_;
  TransportCounters& counters_;
  const Nanos deadline_;  // for messages to go
  State state_ = State::kBooting;
  Status fault_ = Status::kOk;
  Boot mine_ = {};
  std::unique_ptr<Endpoint> endpoint_;
  bool up_there_ = false;   // the peer takes writes
  bool confirmed_ = false;  // so do we

  uint32_t grants_made_ = 0;
  std::unordered_map<RegionId, Grant, RegionIdHash> grants_;
  std::unordered_map<uint32_t, Leaving> leaving_;  // by number of the grant
  std::unordered_map<RegionId, Remote, RegionIdHash> remotes_;

  Outbox outbox_;
  MutableBytes message_;  // being filled, of the endpoint; empty: none
  size_t filled_ = 0;
  bool unannounced_ = false;  // direct writes went out since the last message
  bool stuck_ = false;
  bool shown_asleep_ = false;
  bool asleep_there_ = false;
  uint64_t sent_ = 0;         // messages
  uint64_t loud_ = 0;         // of these, the last that was not quiet
  uint64_t taken_there_ = 0;  // of these, as the peer said
  uint64_t taken_ = 0;        // messages of the peer
  uint64_t told_ = 0;         // of these, as I said
  size_t moved_ = 0;          // bytes, since receive() or send() began
};

}  // namespace freshet::fabric

#endif  // FRESHET_IO_FABRIC_LINK_H_
