// Members over libfabric. A TcpTransport inside is the control plane: it authenticates, dials and
// finds out who is gone; over it two members tell each other where their endpoints are. A peer is
// up once both stand, and down once either is lost, which ends the other too.
//
// Thread: the agent's, but for wake_self().
// Invariants
//  1. A peer has a link exactly while its control connection is up.
//  2. Between kDown and the next kUp of a peer nothing is written into regions granted to it.
#ifndef FRESHET_IO_FABRIC_FABRIC_TRANSPORT_H_
#define FRESHET_IO_FABRIC_FABRIC_TRANSPORT_H_

#include <unordered_map>
#include <vector>

#include "native/io/fabric/fabric.h"
#include "native/io/fabric/link.h"

namespace freshet::fabric {

class FabricTransport final : public Transport, private LinkOwner {
 public:
  static Status open(FabricConfig config, std::unique_ptr<FabricTransport>& out);
  ~FabricTransport() override { stop(); }

  uint16_t port() const { return control_->port(); }
  Bytes listener() const { return provider_->name(); }

  Status add_peer(const PeerAddress& address) override;
  void forget_peer(NodeId node) override;
  void close_peer(NodeId node) override;
  void renew(uint64_t incarnation) override;
  Status grant(NodeId peer, RegionId id, MutableBytes memory) override;
  void revoke(NodeId peer, RegionId id) override;
  bool has_late_writes(NodeId peer) const override;
  bool is_leaving(NodeId peer, const RegionId& id) const override;
  void stop() override;
  void write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool stable) override;
  size_t backlog(NodeId peer) const override;
  int poll(Nanos timeout, std::vector<PeerEvent>& events) override;
  void flush() override;
  bool watch(int descriptor, std::function<void()> then) override {
    return control_->watch(descriptor, std::move(then));
  }
  void wake_self() override { control_->wake_self(); }
  const TransportCounters& counters() const override { return shown_; }

 private:
  struct Peer {
    NodeId node = 0;
    std::unordered_map<RegionId, MutableBytes, RegionIdHash> regions;
    Boot boot = {};            // the peer writes it
    uint64_t old_session = 0;  // of a boot that was used
    uint64_t wakes_seen = 0;
    uint64_t wakes_sent = 0;
    std::unique_ptr<Link> link;
    bool told_up = false;
    Nanos retry_at = 0;  // for a link that broke before it was up: when the control connection ends
    Nanos pause = kRetryMin;
  };

  explicit FabricTransport(FabricConfig config) : config_(std::move(config)) {}
  Status start();

  // LinkOwner
  uint64_t random() override;
  MutableBytes find_region(NodeId peer, const RegionId& id, uint64_t offset,
                           size_t length) override;
  void on_ready(NodeId peer) override;

  Peer* find_peer(NodeId node);
  const Peer* find_peer(NodeId node) const;
  void on_control(const PeerEvent& event);
  void begin_link(Peer& peer, uint64_t incarnation);
  void end_link(Peer& peer);
  void look_at_boot(Peer& peer);
  void look_at_links();
  void read_connection_events();
  void on_request(fi_info& request, Bytes proof);
  size_t move();
  size_t send_to(Peer& peer);
  bool prepare_sleep(Nanos& timeout);
  void show_counters();

  FabricConfig config_;
  std::unique_ptr<Provider> provider_;
  std::unique_ptr<TcpTransport> control_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<PeerEvent> control_events_;
  std::vector<PeerEvent> events_;  // until the poll hands them out
  std::vector<fid*> queues_;       // to wait on
  size_t connecting_ = 0;          // links that are not up
  Nanos now_ = 0;
  Nanos looked_ = 0;  // at the control connection and the events of connections
  TransportCounters counters_;
  TransportCounters shown_;  // with those of the control connection
};

}  // namespace freshet::fabric

#endif  // FRESHET_IO_FABRIC_FABRIC_TRANSPORT_H_
