// Transports of one kind between a few nodes, for tests that hold whatever the kind is.
//
//   TEST_ON_ALL(name) { ... rig ... }   one test a kind, named <kind>_<name>
//
// A kind that this machine does not have is passed over with a line.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_TRANSPORT_RIG_H_
#define FRESHET_TEST_NATIVE_SUPPORT_TRANSPORT_RIG_H_

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "native/io/simulated_network.h"
#include "native/io/simulated_transport.h"
#include "native/io/transport.h"
#include "test/native/support/process_transport.h"
#include "test/native/support/test.h"

namespace freshet::test {

enum class RigKind : uint8_t { kTcp, kSimulated, kFabricTcp, kFabricShm, kFabricVerbs };

inline Nanos rig_now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

// In the guest with software RDMA.
bool is_emulated();
// 20 s; on an emulated processor 120 s.
Nanos rig_patience();

struct RigNode {
  NodeId id = 0;
  std::string host;
  uint16_t port = 0;
  std::unique_ptr<Transport> transport;
  std::vector<PeerEvent> events;

  size_t count(PeerEvent::Kind kind, NodeId about) const;
  bool saw(PeerEvent::Kind kind, Status reason) const;
  void write(NodeId to, RegionId region, uint64_t offset, uint64_t cell) {
    transport->write(to, region, offset, std::as_bytes(std::span(&cell, 1)), false);
  }
};

class Rig {
 public:
  explicit Rig(RigKind kind) : kind_(kind) {}

  RigKind kind() const { return kind_; }
  bool is_simulated() const { return kind_ == RigKind::kSimulated; }
  // Its transport is open; failing that the test fails.
  RigNode make(NodeId id);
  // In a process of its own, whatever the kind; not simulated.
  RigNode make_process(NodeId id);
  // For regions, and for what is written from there as stable. Zeros.
  MutableBytes memory(size_t size) { return arena_.take(size); }
  // Once for every pair: they know each other, and are up.
  void connect(std::initializer_list<RigNode*> nodes);
  void introduce(RigNode& a, RigNode& b);

  // Polls all until `done`, at most for rig_patience(). False: it is not.
  template <typename Done>
  bool run(std::initializer_list<RigNode*> nodes, Done done) {
    const Nanos end = rig_now() + rig_patience();
    while (!done()) {
      if (rig_now() > end) return false;
      pass(nodes);
    }
    return true;
  }
  void pass(std::initializer_list<RigNode*> nodes);
  // What was on its way has arrived or never will, as far as that can be told from outside.
  void settle(std::initializer_list<RigNode*> nodes);

 private:
  const RigKind kind_;
  SharedArena arena_;
  std::unique_ptr<SimulatedNetwork> network_;
};

// What a node of this kind listens at.
std::string rig_host(RigKind kind, NodeId id);
// Whether there is such a kind here; says so where there is not.
bool has_rig(RigKind kind);

using RigTest = void (*)(Rig& rig);
template <RigKind kind, RigTest test>
void run_on() {
  if (!has_rig(kind)) return;
  Rig rig(kind);
  test(rig);
}

}  // namespace freshet::test

#define FRESHET_ON(kind, prefix, name)                        \
  static const ::freshet::test::Registration prefix##_##name( \
      #prefix "_" #name, &::freshet::test::run_on<::freshet::test::RigKind::kind, &on_##name>)
#define TEST_ON_ALL(name)                           \
  static void on_##name(::freshet::test::Rig& rig); \
  FRESHET_ON(kTcp, tcp, name);                      \
  FRESHET_ON(kSimulated, simulated, name);          \
  FRESHET_ON(kFabricTcp, fabric_tcp, name);         \
  FRESHET_ON(kFabricShm, fabric_shm, name);         \
  FRESHET_ON(kFabricVerbs, fabric_verbs, name);     \
  static void on_##name([[maybe_unused]] ::freshet::test::Rig& rig)

#endif  // FRESHET_TEST_NATIVE_SUPPORT_TRANSPORT_RIG_H_
