// The one idea of how members talk: ordered one-sided writes into registered regions.
//
// Contract
//  1. Writes to one peer take effect in the order they were issued (data, then the counter that
//     guards it). Writes to different peers are not ordered.
//  2. There is no receive callback: a write shows itself only in the peer's memory, during its
//     poll(). Cells are at most 8 aligned bytes and are never seen torn.
//  3. A peer may write only regions granted to it, inside their bounds. Anything else is dropped
//  and
//     counted, here or there (a region may have been revoked while the write travelled); bytes that
//     are no frame close the connection.
//  4. A completion is not a delivery: only the peer's own counters say what it has.
//
// Thread: all calls from the agent thread, but for wake_self(), which any thread may call.
#ifndef FRESHET_IO_TRANSPORT_H_
#define FRESHET_IO_TRANSPORT_H_

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "native/core/region.h"
#include "native/core/status.h"
#include "native/core/types.h"

namespace freshet {

using ClusterId = std::array<uint8_t, 16>;
using Secret = std::array<uint8_t, 32>;

// Of the whole cluster: members with different ones refuse each other. The numbers cross the wire.
enum class TransportKind : uint32_t {
  kTcp = 0,  // the built-in one
  kFabricVerbs = 1,
  kFabricTcp = 2,
  kFabricShm = 3,
};
inline constexpr uint32_t kTransportKindMax = 3;

struct PeerAddress {
  NodeId node = 0;
  std::string host;  // numeric; empty: not known yet, so it is not dialled
  uint16_t port = 0;
};

// What changed about a peer since the last poll.
struct PeerEvent {
  enum class Kind : uint8_t { kUp, kDown, kRefused };
  Kind kind = Kind::kDown;
  NodeId node = 0;           // 0 with kRefused where the other side did not say
  uint64_t incarnation = 0;  // random, new with every start of the peer
  Status reason = Status::kOk;
};

struct TransportCounters {
  uint64_t bytes_written = 0;
  uint64_t bytes_read = 0;
  uint64_t system_calls = 0;
  uint64_t dropped_writes = 0;  // to regions not granted, by the peers or (fabric) to me
  uint64_t refused_connections = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Dials and accepts until connected, again after a loss, until forgotten. Idempotent; another
  // address than before is the one that is dialled from now on.
  virtual Status add_peer(const PeerAddress& address) = 0;
  virtual void forget_peer(NodeId node) = 0;
  // Ends the connection now, as on suspicion; a kDown follows. It is dialled again afterwards.
  virtual void close_peer(NodeId node) = 0;

  // Ends all connections; new ones are made under this incarnation.
  virtual void renew(uint64_t incarnation) = 0;

  // Lets `peer` write `memory` as region `id`. The memory stays valid until revoke(id) returned and
  // has_late_writes(peer) is false.
  virtual Status grant(NodeId peer, RegionId id, MutableBytes memory) = 0;
  virtual void revoke(NodeId peer, RegionId id) = 0;
  // Writes may still land in what was revoked from this peer: hardware at the other side learns of
  // it later. Not after its kDown.
  virtual bool has_late_writes(NodeId peer) const {
    static_cast<void>(peer);
    return false;
  }
  // The same of one region.
  virtual bool is_leaving(NodeId peer, const RegionId& id) const {
    static_cast<void>(peer), static_cast<void>(id);
    return false;
  }
  // Ends all connections for good; after that nothing is written any more into what was granted.
  virtual void stop() {}

  // Queues a write. With stable = true the bytes stay as they are until the peer's counters show
  // that it has them (they lie in a ring); otherwise they are copied before the call returns.
  // To a peer that is not up: dropped.
  virtual void write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool stable) = 0;
  // Bytes queued for the peer and not yet taken by the network. The core holds counters back
  // from a peer whose backlog is over its limit.
  virtual size_t backlog(NodeId peer) const = 0;

  // Sends what is queued, takes in what has arrived. Waits up to `timeout` ns (0: not at all) if
  // there was nothing to do. Returns how much was done; events are appended to `events`.
  virtual int poll(Nanos timeout, std::vector<PeerEvent>& events) = 0;
  // Sends what is queued, as far as the network takes it at once; the next poll() does too.
  virtual void flush() {}
  // poll() also ends its wait when this descriptor is readable, and calls `then`. At most one, for
  // good. False: this transport cannot.
  virtual bool watch(int descriptor, std::function<void()> then) {
    static_cast<void>(descriptor);
    static_cast<void>(then);
    return false;
  }
  // Ends a wait in poll() from another thread.
  virtual void wake_self() = 0;

  // Hints, so that a member with many shards need not look at all of them: appends the regions that
  // were written since the last call, each once. False: this transport does not know (one-sided
  // hardware); then any may have been.
  virtual bool take_touched(std::vector<RegionId>& touched) {
    static_cast<void>(touched);
    return false;
  }

  virtual const TransportCounters& counters() const = 0;
};

}  // namespace freshet

#endif  // FRESHET_IO_TRANSPORT_H_
