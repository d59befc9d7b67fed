// The other members as this one sees them: heartbeats, silence, messages.
//
// With each peer there is one table of two rows, which carries stamps and echoes, and one channel
// for whole messages. A peer whose stamp has not moved for `silence` is closed; whatever was shared
// with it ends then, as after a lost connection.
//
// Thread: the agent's, but for PeerView.
// Invariants
//  1. Stamps of one connection never vouch for another: the table is made anew when it ends.
//  2. A pause of this agent is no silence of the others: all clocks start again after one.
#ifndef FRESHET_AGENT_PEER_LINKS_H_
#define FRESHET_AGENT_PEER_LINKS_H_

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "native/core/pair_channel.h"
#include "native/core/pair_table.h"
#include "native/io/transport.h"

namespace freshet {

inline constexpr size_t kPeersMax = 64;
// Messages handed over and not yet taken by the channel; one may always wait, whatever its size.
inline constexpr size_t kOutboxBytesMax = size_t{32} << 20;
// A peer with more than this unsent gets no data until it is down to a quarter of it.
inline constexpr size_t kCongestedBytes = size_t{1} << 20;
// With more than this part of it unsent a peer is busy: no more blocks of large values go to it,
// nor, at first, to others, as they would share the network and all come later. After this time it
// is the peer that is slow, or something else that is sent, and the others go on.
inline constexpr size_t kBusyDivisor = 16;
inline constexpr Nanos kBusyMax = 10'000'000;

// Shared with the event loop, for admission of messages.
struct PeerView {
  std::atomic<bool> up{false};
  std::atomic<size_t> outbox_bytes{0};
};

struct PeerOptions {
  NodeId me = 0;
  uint64_t incarnation = 0;
  Nanos silence = 0;
  size_t congested = kCongestedBytes;
};

class PeerLinks {
 public:
  PeerLinks(PeerOptions options, Transport& transport);
  ~PeerLinks();

  // Idempotent; kOverloaded beyond kPeersMax, else as Transport::add_peer.
  Status add(const PeerAddress& address, std::shared_ptr<PeerView> view);
  void forget(NodeId node);
  bool is_up(NodeId node) const;
  void on_event(const PeerEvent& event, Nanos now);
  void send(NodeId node, std::vector<std::byte>&& message);

  // Queues my heartbeat to everyone.
  void beat(Nanos now, uint64_t loop_beat);
  // Closes peers that have been silent for too long; returns how many.
  int close_silent(Nanos now);
  // Moves messages. With `take_messages` false nothing is received: the peers feel it.
  int step(bool take_messages, std::vector<MemberMessage>& messages);
  // Peers whose state of congestion changed, for the replicas.
  struct Congestion {
    NodeId node;
    bool congested;
  };
  const std::vector<Congestion>& look_at_backlogs(Nanos now);
  bool has_busy() const { return busy_ > 0; }
  // May blocks of large values go to this peer now? As of the last look and what was written since.
  bool takes_blocks(NodeId node) const;
  // With the last look more peers came to take blocks.
  bool is_eased() const { return eased_; }
  // When more will, if nothing else changes; INT64_MAX: never.
  Nanos eased_at() const;
  // A block was written to this peer.
  void count_block(NodeId node, size_t size);
  // Nanoseconds from my stamp to the peer's echo of it; 0 unknown.
  Nanos newest_round_trip(NodeId node) const;

 private:
  struct Link;
  Link* find(NodeId node) const;
  void make_table(Link& link);
  void end_connection(Link& link);
  void flush_outbox(Link& link);
  void write_all();
  bool is_busy(const Link& link) const;
  bool holds_others(const Link& link) const;

  const PeerOptions options_;
  Transport& transport_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<Congestion> changed_;
  size_t busy_ = 0;      // links, as of the last look
  Nanos looked_at_ = 0;  // at backlogs
  bool freed_ = false;   // a busy one's connection ended since
  bool eased_ = false;
  Outputs out_;
  uint64_t sessions_ = 0;
  Nanos looked_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_PEER_LINKS_H_
