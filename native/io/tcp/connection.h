// One socket to another member: handshake, then frames both ways.
//
// Thread: the transport's.
// Invariants
//  1. Nothing is written into a region, and no owner is told of a peer, before the other side has
//     proved that it knows the secret.
//  2. A connection that is dead or refusing hands nothing on any more.
#ifndef FRESHET_IO_TCP_CONNECTION_H_
#define FRESHET_IO_TCP_CONNECTION_H_

#include "native/io/tcp/frame_reader.h"
#include "native/io/tcp/handshake.h"
#include "native/io/tcp/socket_stream.h"

namespace freshet::tcp {

class Connection;

// What a connection asks of the transport that has it.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // May this node, not proven yet, dial us?
  virtual bool may_dial(NodeId node) const = 0;
  virtual void on_up(Connection& connection) = 0;
  // The handshake ended with `reason`, here or (theirs) at the other side.
  virtual void on_refused(Connection& connection, Status reason) = 0;
  virtual MutableBytes find_region(NodeId peer, const RegionId& id, uint64_t offset,
                                   size_t length) = 0;
};

class Connection final : public FrameSink {
 public:
  enum class State : uint8_t {
    kConnecting,
    kSentHello,
    kSentProof,
    kAwaitsHello,
    kAwaitsProof,
    kUp,
    kRefusing,  // the reason is on its way out
    kDead,
  };

  // `mine` has a fresh nonce; its `to` is the node dialled, 0 for an accepted connection.
  Connection(FileDescriptor fd, const Identity& mine, const Secret& secret, ConnectionOwner& owner,
             TransportCounters& counters, Nanos now);

  State state() const { return state_; }
  bool is_up() const { return state_ == State::kUp; }
  bool is_dialled() const { return dialled_; }
  int fd() const { return stream_.fd(); }
  // The node dialled, or the one that an accepted connection claims (0: nothing said yet).
  NodeId peer() const { return dialled_ ? mine_.to : theirs_.node; }
  uint64_t incarnation() const { return theirs_.incarnation; }
  // Of the connecting, the handshake or the refusal.
  Nanos deadline() const { return state_ == State::kConnecting ? connect_deadline_ : deadline_; }
  SendQueue& queue() { return stream_.queue(); }
  FrameReader& reader() { return reader_; }

  // What epoll told.
  void on_edges(uint32_t events);
  bool wants_receive() const { return stream_.may_receive(); }
  bool wants_send() const { return stream_.wants_send(); }

  // Takes in once what has arrived; sends what fits. Return how many bytes moved.
  size_t receive();
  size_t send();
  void refuse(Status reason, Nanos deadline);
  void close();

  // FrameSink
  bool on_frame(FrameType type, Bytes body) override;
  MutableBytes find(const RegionId& id, uint64_t offset, size_t length) override;
  bool is_proven() const override { return is_up(); }

 private:
  bool on_hello(Bytes body);
  bool on_challenge(Bytes body);
  bool on_proof(Bytes body);
  bool on_refusal(Bytes body);
  bool refuse_here(Status reason);

  SocketStream stream_;
  Identity mine_;
  Identity theirs_;
  const Secret& secret_;
  ConnectionOwner& owner_;
  const Nanos connect_deadline_;
  Nanos deadline_;
  const bool dialled_;
  State state_;
  FrameReader reader_;
};

}  // namespace freshet::tcp

#endif  // FRESHET_IO_TCP_CONNECTION_H_
