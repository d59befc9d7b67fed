// The built-in transport: one connection per pair of members, one epoll, no thread of its own.
//
// The lower node id dials, again after a loss, with growing pauses. Writes go out merged: small
// ones are copied into one buffer, large stable ones are sent from where they lie.
//
// Thread: the agent's, but for wake_self().
// Invariants
//  1. At most one connection of a peer is up; a newer proven one replaces it (kDown, then kUp).
//  2. Connections that have proved nothing are bounded in number and in time.
//  3. Between kDown and the next kUp of a peer nothing is written into regions granted to it.
#ifndef FRESHET_IO_TCP_TCP_TRANSPORT_H_
#define FRESHET_IO_TCP_TCP_TRANSPORT_H_

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "native/io/tcp/connection.h"
#include "native/io/transport.h"

namespace freshet {

struct TcpConfig {
  ClusterId cluster = {};
  Secret secret = {};
  NodeId me = 0;
  uint64_t incarnation = 0;
  uint64_t view = 0;
  TransportKind kind = TransportKind::kTcp;       // what it is the control plane of
  std::string host = "127.0.0.1";                 // numeric
  uint16_t port = 0;                              // 0: any free one
  std::function<Nanos()> now;                     // monotonic
  std::function<void(MutableBytes)> fill_random;  // unpredictable bytes
};

class TcpTransport final : public Transport, private tcp::ConnectionOwner {
 public:
  // kAddressInUse, kInvalidArgument (host), kPeerUnreachable (no sockets left).
  static Status open(TcpConfig config, std::unique_ptr<TcpTransport>& out);
  ~TcpTransport() override;

  uint16_t port() const { return port_; }
  // Ends a wait in poll() too while this descriptor is readable; until that one is closed.
  bool watch_also(int fd);

  Status add_peer(const PeerAddress& address) override;
  void forget_peer(NodeId node) override;
  void close_peer(NodeId node) override;
  void renew(uint64_t incarnation) override;
  Status grant(NodeId peer, RegionId id, MutableBytes memory) override;
  void revoke(NodeId peer, RegionId id) override;
  void write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool stable) override;
  size_t backlog(NodeId peer) const override;
  int poll(Nanos timeout, std::vector<PeerEvent>& events) override;
  void flush() override { (void)send_queued(); }
  bool watch(int descriptor, std::function<void()> then) override;
  void wake_self() override;
  bool take_touched(std::vector<RegionId>& touched) override;
  const TransportCounters& counters() const override { return counters_; }

 private:
  struct Region {
    MutableBytes memory;
    bool touched = false;  // since the last take_touched()
  };
  struct Peer {
    NodeId node = 0;
    tcp::SocketAddress address;
    std::unordered_map<RegionId, Region, RegionIdHash> regions;
    std::vector<RegionId> touched;
    tcp::Connection* up = nullptr;
    tcp::Connection* dialling = nullptr;
    Nanos dial_at = 0;
    Nanos pause = tcp::kRedialMin;
    int refusals = 0;  // since it was up
  };

  explicit TcpTransport(TcpConfig config);
  Status start();

  // ConnectionOwner
  bool may_dial(NodeId node) const override;
  void on_up(tcp::Connection& connection) override;
  void on_refused(tcp::Connection& connection, Status reason) override;
  MutableBytes find_region(NodeId peer, const RegionId& id, uint64_t offset,
                           size_t length) override;

  Peer* find_peer(NodeId node);
  const Peer* find_peer(NodeId node) const;
  tcp::Connection& add_connection(tcp::FileDescriptor fd, NodeId to);
  void dial(Peer& peer, Nanos now);
  void accept_waiting(Nanos now);
  void evict_half_open();
  void run_timers(Nanos now);
  void wait(Nanos timeout, Nanos now);
  size_t send_queued();
  size_t move_bytes();
  void bury(tcp::Connection& connection);
  void bury_dead();
  void report_refusal(NodeId node, Status reason, bool stranger);

  TcpConfig config_;
  tcp::FileDescriptor epoll_;
  tcp::FileDescriptor wake_;
  tcp::FileDescriptor listener_;
  std::function<void()> on_guest_;  // what watch() was given
  uint16_t port_ = 0;
  bool accepting_ = true;  // the listener may have more
  Nanos accept_at_ = 0;
  Nanos now_ = 0;    // as of the last poll
  Nanos timer_ = 0;  // when something is due next

  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<tcp::Connection>> connections_;
  tcp::Connection* heard_ = nullptr;  // the last that brought something
  std::vector<PeerEvent> events_;     // until the next poll hands them out
  Nanos refusals_since_ = 0;
  int refusals_ = 0;
  TransportCounters counters_;
};

}  // namespace freshet

#endif  // FRESHET_IO_TCP_TCP_TRANSPORT_H_
