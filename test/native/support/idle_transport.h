// A network that takes whatever it is given and brings nothing: a test overrides what it is about.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_IDLE_TRANSPORT_H_
#define FRESHET_TEST_NATIVE_SUPPORT_IDLE_TRANSPORT_H_

#include "native/io/transport.h"

namespace freshet::test {

class IdleTransport : public Transport {
 public:
  Status add_peer(const PeerAddress&) override { return Status::kOk; }
  void forget_peer(NodeId) override {}
  void close_peer(NodeId) override {}
  void renew(uint64_t) override {}
  Status grant(NodeId, RegionId, MutableBytes) override { return Status::kOk; }
  void revoke(NodeId, RegionId) override {}
  void write(NodeId, RegionId, uint64_t, Bytes, bool) override {}
  size_t backlog(NodeId) const override { return 0; }
  int poll(Nanos, std::vector<PeerEvent>&) override { return 0; }
  void wake_self() override {}
  const TransportCounters& counters() const override { return counters_; }

 private:
  TransportCounters counters_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_IDLE_TRANSPORT_H_
