// What the fabric transport refuses before it has a peer, and what shm leaves behind.
#include "native/io/fabric/fabric.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "test/native/support/transport_rig.h"

#if __has_include(<rdma/fabric.h>)
#include "native/io/fabric/fabric_transport.h"
#endif

using namespace freshet;
using namespace freshet::test;

namespace {

// Of a process that may lock so much and has no right to lock more.
Status open_verbs_with_memlock(rlim_t bytes) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit = {bytes, bytes};
    __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) _exit(255);
    if (syscall(SYS_capset, &head, none) != 0) _exit(255);
    FabricConfig config;
    config.kind = TransportKind::kFabricVerbs;
    config.control.me = 1;
    config.control.now = rig_now;
    config.control.fill_random = [](MutableBytes) {};
    std::unique_ptr<Transport> transport;
    uint16_t port;
    _exit(static_cast<int>(open_fabric(std::move(config), transport, port)));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return static_cast<Status>(WEXITSTATUS(status));
}

size_t shared_objects_of(pid_t process) {
  size_t found = 0;
  const std::string prefix = std::to_string(process) + ':';
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm"))
    if (entry.path().filename().string().starts_with(prefix)) found++;
  return found;
}

}  // namespace

TEST(too_little_memlock_is_refused_by_name) {
  if (inspect_fabric(TransportKind::kFabricVerbs, "127.0.0.1").library.empty()) return;
  EXPECT_EQ(open_verbs_with_memlock(rlim_t{8} << 20), Status::kMemlockTooLow);
  rlimit limit = {};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_max < rlim_t{64} << 20) return;
  // Enough: what is missing then is a device at this address.
  EXPECT_EQ(open_verbs_with_memlock(rlim_t{64} << 20), Status::kNoFabric);
}

TEST(an_address_without_a_device_is_refused_by_name) {
  const FabricReport report = inspect_fabric(TransportKind::kFabricVerbs, "127.0.0.1");
  EXPECT_EQ(report.status, Status::kNoFabric);
  EXPECT(report.domain.empty());
  EXPECT(!report.ordered);
}

TEST(an_address_that_no_peer_could_be_told_is_refused) {
  for (const char* host : {"0.0.0.0", "::"}) {
    const FabricReport report = inspect_fabric(TransportKind::kFabricTcp, host);
    if (!report.library.empty()) EXPECT_EQ(report.status, Status::kInvalidArgument);
  }
}

TEST(names_of_shared_memory_are_gone_once_both_ends_are_mapped) {
  if (!has_rig(RigKind::kFabricShm)) return;
  Rig rig(RigKind::kFabricShm);
  RigNode a = rig.make(1), b = rig.make(2);
  rig.connect({&a, &b});
  for (const RigNode* node : {&a, &b})
    EXPECT_EQ(shared_objects_of(static_cast<ProcessTransport&>(*node->transport).process()), 0u);
}

#if __has_include(<rdma/fabric.h>)

TEST(a_provider_without_an_order_of_writes_is_refused_by_name) {
  fabric::Library library;
  if (!is_ok(fabric::Library::load(library))) return;
  // Datagrams: they arrive in any order.
  constexpr fabric::Traits kDatagrams{"udp", FI_EP_DGRAM, false, false, true};
  fabric::Info info;
  EXPECT_EQ(fabric::Provider::find(library, kDatagrams, "127.0.0.1", info),
            Status::kUnorderedFabric);
}

// Who has not read a token over the control connection gets no endpoint.
TEST(a_request_without_a_token_is_rejected) {
  if (!has_rig(RigKind::kFabricTcp)) return;
  TcpConfig mine;
  mine.now = rig_now;
  mine.fill_random = [](MutableBytes out) {
    for (std::byte& byte : out) byte = std::byte{5};
  };
  mine.me = 1;
  mine.kind = TransportKind::kFabricTcp;
  FabricConfig config{mine.kind, mine};
  config.control.me = 2;
  std::unique_ptr<fabric::FabricTransport> transport;
  EXPECT(is_ok(fabric::FabricTransport::open(std::move(config), transport)));
  EXPECT(is_ok(transport->add_peer({1, "127.0.0.1", 1})));
  // A member that has come as far as the control connection, so that its endpoint is awaited.
  std::unique_ptr<TcpTransport> control;
  EXPECT(is_ok(TcpTransport::open(std::move(mine), control)));
  EXPECT(is_ok(control->add_peer({2, "127.0.0.1", transport->port()})));
  std::unique_ptr<fabric::Provider> provider;
  EXPECT(is_ok(fabric::Provider::open(TransportKind::kFabricTcp, "127.0.0.1", provider)));
  std::unique_ptr<fabric::Endpoint> stranger;
  EXPECT(is_ok(fabric::Endpoint::open(*provider, stranger)));
  std::vector<PeerEvent> events, seen;
  const Nanos end = rig_now() + 20'000'000'000;
  while (seen.empty() && rig_now() < end) {
    control->poll(1'000'000, seen);
    transport->poll(1'000'000, events);
  }
  EXPECT(!seen.empty() && seen[0].kind == PeerEvent::Kind::kUp);
  for (int i = 0; i < 20; i++) transport->poll(1'000'000, events);
  const std::array<std::byte, 8> proof = {};
  EXPECT(is_ok(stranger->connect(transport->listener(), proof)));
  ssize_t answer = -FI_EAGAIN;
  while (answer == -FI_EAGAIN && rig_now() < end) {
    transport->poll(1'000'000, events);
    uint32_t kind;
    fi_eq_cm_entry entry;
    answer = fi_eq_read(provider->events(), &kind, &entry, sizeof entry, 0);
  }
  EXPECT_EQ(answer, -FI_EAVAIL);  // an error: refused
  EXPECT_EQ(transport->counters().refused_connections, 1u);
}

#endif
