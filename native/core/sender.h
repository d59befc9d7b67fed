// The sending half of a member in one shard epoch: its ring, and what waits for room in it.
//
// A record of at most ring / 4 is encoded straight into the ring. Of a larger one an offer goes
// there, as soon as there is a slot for its transfer, and its place once that is done
// (large_multicast.h); until then what was submitted behind it waits in a bounded stage, so that
// one sender's changes keep their order. The caller's memory is kept until the record is delivered:
// an epoch that ends may cut it off.
//
// Thread: the agent's.
// Invariants
//  1. Messages have indexes 0, 1, 2 ... in the order of submission; a null takes one too.
//  2. A record's bytes are free only after every member has delivered it.
//  3. pending_ holds first what has its place in the ring (fed_ of them, large ones that are not
//     delivered among them), then what has not. Large ones among the first offered_ are offered.
//  4. waiting() holds the answered submissions in the ring in index order.
#ifndef FRESHET_CORE_SENDER_H_
#define FRESHET_CORE_SENDER_H_

#include <cstdint>
#include <vector>

#include "native/core/aligned_memory.h"
#include "native/core/byte_ring.h"
#include "native/core/fixed_queue.h"
#include "native/core/large_multicast.h"
#include "native/core/shard_replica.h"

namespace freshet {

inline constexpr size_t kPendingMax = 256;   // submissions waiting for room behind a large one
inline constexpr size_t kAnswersMin = 4096;  // unanswered submissions that always have a place

class Sender {
 public:
  // A submission in the ring whose caller wants an answer.
  struct Waiting {
    uint64_t index;
    Token token;
    Ack ack;
  };

  // Its large records go as those of sender `me` of `large`.
  Sender(ShardId shard, Epoch epoch, size_t ring_size, LargeMulticast& large, size_t me);

  // As ShardReplica::submit; `time` is the record's stamp.
  Status submit(const Change& change, Micros time, Ack ack, Token token);
  // Moves what waits into the ring while there is room and it is its turn, at most about kCopySlice
  // bytes. Returns how many messages were made.
  int feed();
  // My first `delivered` messages are delivered here: appends the tokens of large submissions whose
  // values are not needed any more.
  void release(uint64_t delivered, std::vector<Token>& released);
  // Makes nulls until this sender has produced `owed` messages. False: no room, or none owed.
  bool make_nulls(uint64_t owed);
  // Hands out the records in the ring from `position` on, which is that of message `index`, and
  // then those that wait for room. Messages below `copied` may be delivered: they are not handed
  // out, and who waits for an answer to one goes on waiting.
  void take_back(uint64_t position, uint64_t index, uint64_t copied,
                 const ShardReplica::Resubmit& resubmit);
  // Every member has delivered my first `messages` messages.
  void free_delivered(uint64_t messages);

  const ByteRingWriter& ring() const { return ring_; }
  const std::byte* memory() const { return memory_.data(); }
  uint64_t messages() const { return messages_; }
  size_t inline_max() const { return ring_.size() / kRingInlineDivisor; }
  FixedQueue<Waiting>& waiting() { return waiting_; }
  size_t answers_max() const { return waiting_.capacity(); }

  // Forgets what waits for room: calls `unsent(token, ack)` for each and appends the tokens of
  // large ones to `released`.
  template <typename Unsent>
  void abandon(std::vector<Token>& released, Unsent unsent) {
    for (; !pending_.empty(); pending_.pop()) {
      const Pending& item = pending_.front();
      if (item.whole_length != 0) released.push_back(item.token);
      if (fed_ == 0) unsent(item.token, item.ack);
      fed_ -= fed_ > 0 ? 1 : 0;
    }
    offered_ = 0;
  }

 private:
  struct Pending {
    Token token;
    Ack ack;
    uint64_t last;           // of those in the ring: its last message
    std::byte* record;       // in the stage
    uint32_t staged;         // padded bytes in the stage: the record, or a large one's head
    uint32_t head_length;    // of a large one: header, extension, key, meta
    uint32_t whole_length;   // of a large one; 0: not large
    uint64_t number;         // of its transfer, once offered
    const std::byte* value;  // borrowed until released
  };

  bool is_behind() const { return fed_ < pending_.size(); }
  static Change change_of(const Pending& item);
  Status stage(const Change& change, Micros time, Ack ack, Token token, bool large);
  bool feed_staged(const Pending& item);
  void offer_more();
  bool offer(Pending& item);
  bool feed_place(const Pending& item);
  // Of a message that is the ring's own: all but what only its kind has, not sealed.
  RecordHeader& begin_header(std::byte* place, RecordKind kind, size_t length) const;
  void add_message(Ack ack, Token token);

  ShardId shard_;
  Epoch epoch_;
  LargeMulticast& large_;
  const size_t me_;
  AlignedMemory memory_;
  ByteRingWriter ring_;
  AlignedMemory stage_memory_;
  ByteRingWriter stage_;
  FixedQueue<Pending> pending_;
  size_t fed_ = 0;
  size_t offered_ = 0;
  FixedQueue<Waiting> waiting_;
  uint64_t messages_ = 0;  // made so far
  uint64_t freed_ = 0;     // of them, freed
};

}  // namespace freshet

#endif  // FRESHET_CORE_SENDER_H_
