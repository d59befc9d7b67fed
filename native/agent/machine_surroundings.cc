#include <sys/random.h>
#include <time.h>

#include <cerrno>

#include "native/agent/member.h"
#include "native/agent/surroundings.h"
#include "native/io/fabric/fabric.h"
#include "native/io/posix_file.h"
#include "native/io/tcp/tcp_transport.h"

namespace freshet {
namespace {

Nanos read_clock(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return Nanos{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void fill_from_kernel(MutableBytes out) {
  while (!out.empty()) {
    const ssize_t size = getrandom(out.data(), out.size(), 0);
    FRESHET_CHECK_VALUES(size > 0 || errno == EINTR, size, errno);
    if (size > 0) out = out.subspan(static_cast<size_t>(size));
  }
}

class MachineSurroundings final : public Surroundings {
 public:
  Nanos boot_now() override { return read_clock(CLOCK_BOOTTIME); }
  Micros wall_now() override { return read_clock(CLOCK_REALTIME) / 1000; }
  void fill_random(MutableBytes out) override { fill_from_kernel(out); }
  std::shared_ptr<FileSystem> files() override { return make_posix_file_system(); }
  bool has_threads() const override { return true; }
  void on_job() override {}

  Status open_transport(const MemberConfig& config, uint64_t incarnation,
                        std::unique_ptr<Transport>& out, uint16_t& port) override {
    TcpConfig tcp;
    tcp.cluster = config.cluster;
    tcp.secret = config.secret;
    tcp.me = config.node;
    tcp.incarnation = incarnation;
    tcp.host = config.host;
    tcp.port = config.port;
    tcp.now = [] { return read_clock(CLOCK_BOOTTIME); };
    tcp.fill_random = fill_from_kernel;
    if (config.transport != TransportKind::kTcp)
      return open_fabric({config.transport, std::move(tcp)}, out, port);
    std::unique_ptr<TcpTransport> transport;
    const Status status = TcpTransport::open(std::move(tcp), transport);
    if (!is_ok(status)) return status;
    port = transport->port();
    out = std::move(transport);
    return Status::kOk;
  }
};

}  // namespace

std::shared_ptr<Surroundings> machine_surroundings() {
  return std::make_shared<MachineSurroundings>();
}

}  // namespace freshet
