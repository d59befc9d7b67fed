// A member's transport over a ViewNetwork: grants, connections and writes of one process.
//
// Thread: one; everything in a simulation runs on it.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_TRANSPORT_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_TRANSPORT_H_

#include <array>
#include <functional>
#include <vector>

#include "native/core/view/view_table.h"
#include "native/io/transport.h"
#include "test/native/support/view_network.h"

namespace freshet::test {

class WorldTransport final : public Transport, public ViewEndpoint {
 public:
  // `wake` is called when something has arrived, or somebody wants the agent to look.
  WorldTransport(ViewNetwork& network, MemberId id, std::function<void()> wake);

  // The process is gone; with `reset` its peers hear of it.
  void end(bool reset);

  Status add_peer(const PeerAddress& address) override;
  void forget_peer(NodeId node) override;
  void close_peer(NodeId node) override;
  void renew(uint64_t incarnation) override;
  Status grant(NodeId peer, RegionId id, MutableBytes memory) override;
  void revoke(NodeId peer, RegionId id) override;
  void write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool stable) override;
  size_t backlog(NodeId peer) const override { return network_.backlog(id_.node, peer); }
  int poll(Nanos timeout, std::vector<PeerEvent>& events) override;
  void wake_self() override { wake_(); }
  bool take_touched(std::vector<RegionId>& touched) override;
  const TransportCounters& counters() const override { return counters_; }

  // A cell of the member's row in the view table, as last pushed.
  uint64_t shown(size_t cell) const { return row_[cell]; }

  void on_link_up(const MemberId& peer) override;
  void on_link_down(NodeId peer) override;
  void on_write(NodeId from, const RegionId& region, uint64_t offset, Bytes bytes) override;
  void on_relieved() override { wake_(); }

 private:
  struct Grant {
    RegionId id;
    MutableBytes memory;
    uint64_t touched = 0;  // the look in which it was, last
  };

  ViewNetwork& network_;
  MemberId id_;
  const std::function<void()> wake_;
  bool joined_ = false;
  std::array<bool, kMembersMax + 1> known_{};
  std::array<bool, kMembersMax + 1> up_{};
  std::array<std::vector<Grant>, kMembersMax + 1> grants_;  // by writer
  std::vector<RegionId> touched_;                           // since the last look
  uint64_t looks_ = 1;
  std::vector<PeerEvent> events_;  // for the next poll
  int arrived_ = 0;                // since the last poll
  std::vector<uint64_t> row_;
  TransportCounters counters_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_TRANSPORT_H_
