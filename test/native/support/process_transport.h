// A transport in a process of its own, worked from here: libfabric's shm cannot have both ends of a
// connection in one process, and only a process can be killed.
//
// The regions that it grants, and what it sends as stable, lie in memory that both processes share.
// The process is this program run anew, in serve(); it ends with this object.
//
// Thread: one, but for wake_self().
#ifndef FRESHET_TEST_NATIVE_SUPPORT_PROCESS_TRANSPORT_H_
#define FRESHET_TEST_NATIVE_SUPPORT_PROCESS_TRANSPORT_H_

#include <sys/types.h>

#include <functional>
#include <memory>

#include "native/io/transport.h"

namespace freshet::test {

// Memory for regions, the same in this process and in those that it makes.
class SharedArena {
 public:
  SharedArena();
  ~SharedArena();
  MutableBytes take(size_t size);  // zeros
  bool contains(Bytes bytes) const;
  uint64_t offset_of(Bytes bytes) const { return static_cast<uint64_t>(bytes.data() - begin_); }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  std::byte* begin_ = nullptr;
  size_t used_ = 0;
};

class ProcessTransport final : public Transport {
 public:
  // What the process opens its transport by; `kind` and the rest mean what `serve` makes of them.
  struct Order {
    uint32_t kind = 0;
    NodeId node = 0;
    uint16_t port = 0;  // out: where it listens
    Status status = Status::kOk;
  };
  static Status open(const SharedArena& arena, Order& order, std::unique_ptr<Transport>& out);
  ~ProcessTransport() override;
  void kill();  // as the machine would: without a word
  pid_t process() const { return process_; }

  Status add_peer(const PeerAddress& address) override;
  void forget_peer(NodeId node) override;
  void close_peer(NodeId node) override;
  void renew(uint64_t incarnation) override;
  Status grant(NodeId peer, RegionId id, MutableBytes memory) override;
  void revoke(NodeId peer, RegionId id) override;
  bool has_late_writes(NodeId peer) const override;
  bool is_leaving(NodeId peer, const RegionId& id) const override;
  void write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool stable) override;
  size_t backlog(NodeId peer) const override;
  int poll(Nanos timeout, std::vector<PeerEvent>& events) override;
  void flush() override;
  void wake_self() override;
  const TransportCounters& counters() const override { return counters_; }

  struct Call;  // as it goes between the processes

 private:
  explicit ProcessTransport(const SharedArena& arena) : arena_(arena) {}
  uint64_t call(const Call& call, Bytes more) const;

  const SharedArena& arena_;
  pid_t process_ = 0;
  int calls_ = -1;
  int wakes_ = -1;
  TransportCounters counters_;
};

// In the process: does what it is told until nobody is there. False: this is no such process.
using MakeTransport = std::function<Status(ProcessTransport::Order&, std::unique_ptr<Transport>&)>;
bool serve(const MakeTransport& make);

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_PROCESS_TRANSPORT_H_
