// Whole messages between two members, in order, both ways.
//
// Format. Each direction has one region at the receiver (kPairRing): a 64-byte guard line, then a
// byte ring (byte_ring.h) of kPairRingSize, and one cell at the sender (kPairAck). The first cell
// of the guard line says how far the ring is written, the ack cell how far it was read; both are
//   session (28 bits) << 36 | position / 64 (36 bits).
// A message is one or more ring records of kind kBlock: `sequence` counts the channel's records
// from 0, header.version is the whole message's length in all of them, payload_crc the CRC32C of
// the message up to this piece's end; kFirstBlock and kLastBlock mark its ends. Large messages go
// as pieces of at most a quarter of the ring, fed as room comes free.
//
// A connection begins with a session number that the sender chose anew; the first guard that shows
// another session than the last makes the receiver start again at position 0 and drop a half
// message. So neither side needs to know when the other noticed the reconnection. What was not
// wholly delivered in the old session is lost: who asks, asks again.
//
// Thread: the agent's.
// Invariants
//  1. Messages are handed out whole, in the order of send(), each at most once.
//  2. At most kPairQueueBytes wait for room; more is refused as kOverloaded.
//  3. Bytes of the ring that the peer has not acknowledged in this session do not change.
#ifndef FRESHET_CORE_PAIR_CHANNEL_H_
#define FRESHET_CORE_PAIR_CHANNEL_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "native/core/aligned_memory.h"
#include "native/core/byte_ring.h"
#include "native/core/outputs.h"
#include "native/core/shard_replica.h"

namespace freshet {

inline constexpr size_t kPairMessageMax = size_t{64} << 20;
inline constexpr size_t kPairQueueBytes = size_t{128} << 20;
inline constexpr size_t kPairQueueMessages = 4096;

class PairChannel {
 public:
  explicit PairChannel(NodeId peer, size_t ring_size = kPairRingSize);

  NodeId peer() const { return peer_; }
  // Memory that the peer writes; to be granted before the first on_up().
  std::vector<GrantedRegion> regions();

  // The connection stands. `session`: differs from those of earlier connections, also of earlier
  // runs of this process (random bits of the incarnation plus a count will do).
  void on_up(uint64_t session);
  // The connection is gone: what was not sent is dropped. Idempotent.
  void on_down();
  bool is_up() const { return up_; }

  // kOk, kValueTooLarge, kOverloaded, kPeerUnreachable. Small messages are copied into the ring at
  // once; others are copied to a queue (or moved there, with the second form; with an error the
  // message is left as it was).
  Status send(Bytes message);
  Status send(std::vector<std::byte>&& message);

  // Takes in, hands out, moves on, queues writes. Returns how much was done.
  int step(Outputs& out);

  // A broken peer: its session is closed (nothing more is taken in until the next one) and this
  // tells why; the agent closes the connection. kOk otherwise.
  Status fault() const { return fault_; }

 private:
  struct Incoming {
    uint64_t length = 0;  // of the message that is arriving; 0: none
    uint32_t crc = 0;
    std::vector<std::byte> bytes;
  };

  uint64_t* guard_in() const { return reinterpret_cast<uint64_t*>(in_.data()); }
  uint64_t* ack_in() const { return reinterpret_cast<uint64_t*>(ack_memory_.data()); }
  void begin_session();
  bool put_piece(Bytes message, size_t& sent, uint32_t& crc);
  void take_ack();
  int feed();
  int receive(Outputs& out);
  bool take_record(Outputs& out, uint64_t tail);
  bool take_piece(const RecordHeader& header, Outputs& out);
  int push(Outputs& out);
  int break_off();

  NodeId peer_;
  size_t ring_size_;
  bool up_ = false;
  Status fault_ = Status::kOk;

  AlignedMemory out_;  // my ring
  ByteRingWriter writer_;
  AlignedMemory ack_memory_;  // written by the peer
  uint64_t session_ = 0;      // of my ring
  uint64_t pushed_ = 0;
  uint64_t records_out_ = 0;
  uint64_t guard_out_ = 0;  // cells as last pushed, kept here so that the write can point to them
  std::deque<std::vector<std::byte>> queue_;
  size_t queued_bytes_ = 0;
  size_t front_sent_ = 0;
  uint32_t front_crc_ = 0;

  AlignedMemory in_;  // guard line and ring, written by the peer
  ByteRingCursor reader_;
  uint64_t peer_session_ = 0;
  uint64_t broken_session_ = 0;  // whose bytes are not looked at any more
  uint64_t ended_guard_ = 0;  // as the last connection left it: nothing of that is taken any more
  uint64_t records_in_ = 0;
  uint64_t ack_out_ = 0;
  bool ack_changed_ = false;
  Incoming incoming_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_PAIR_CHANNEL_H_
