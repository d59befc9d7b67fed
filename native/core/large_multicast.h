// The large messages of one member in one shard epoch: what comes in of others, what it passes on,
// what it sends itself ("Large messages" in README.md).
//
// Each sender has slots for the transfers that are under way. A transfer's record lies where the
// store reserved it: header, extension, key and meta come with the offer, the value as blocks.
//
// Thread: the agent's.
// Invariants
//  1. A transfer's memory is granted before `got` shows its number, as long as blocks are missing.
//  2. A record is whole only when all of it is here, its checksum made, and nobody can write it.
//  3. Memory that others may still write, or from which something may be sent, is never given back:
//     what was not delivered stays here to the end.
//  4. My `sent` is not shown over a new connection before what the one before may have lost is
//     written again.
#ifndef FRESHET_CORE_LARGE_MULTICAST_H_
#define FRESHET_CORE_LARGE_MULTICAST_H_

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "native/core/block_transfer.h"
#include "native/core/outputs.h"
#include "native/core/ring_record.h"
#include "native/core/shard_table.h"
#include "native/core/store/store.h"

namespace freshet {

struct ShardConfig;

// Behind the header of a kOffer; then the whole record's header (sealed with payload_crc 0),
// extension, key and meta. The kOffer's `version` is the whole record's length. A kPlace has the
// transfer's number as its `version` and the whole record's payload_crc.
struct OfferBody {
  uint64_t number;
  uint32_t block_size;
  uint8_t algorithm;
  uint8_t zeros[51];
};
static_assert(sizeof(OfferBody) == 64);

class LargeMulticast {
 public:
  LargeMulticast(const ShardConfig& config, Rank me, ShardTable& table, Store& store);

  // --- of my messages: `mine` is my place among the senders --------------------------------------

  // May another transfer of a record of this length begin?
  bool has_room(size_t mine, size_t length) const;
  // Begins one. `head` is the record up to its value, which is borrowed until the record is
  // delivered.
  OfferBody begin(size_t mine, Bytes head, Bytes value);
  // Is my part of it done, so that it may take its place? Then its checksum is known.
  bool is_sent(size_t mine, uint64_t number) const;
  uint32_t payload_crc(size_t mine, uint64_t number) const;

  // --- of sender s, in the order of its ring -----------------------------------------------------

  // What lies behind a kOffer's header, measured and checked. `waits`: not now.
  RingFault take_offer(size_t s, const RecordHeader& header, const std::byte* payload, bool& waits,
                       Micros& time);
  RingFault take_place(size_t s, const RecordHeader& header, bool& waits);
  // `trimmed`: those whom the next view leaves out may not have received it. Adds what was copied
  // to `cost`.
  RingFault deliver(size_t s, const RecordHeader& place, Sequence sequence, bool trimmed,
                    Applied& applied, size_t& cost);

  // --- of the replica ----------------------------------------------------------------------------

  // No transfer is under way, as most of the time: nothing is to be taken in or sent for the first
  // time.
  bool is_idle() const { return under_way_ == 0; }
  // Takes in what has come, checks and copies. Returns how much was done; `broken`: the member
  // whose cells cannot be, or the number of members.
  int step(Outputs& out, Rank& broken);
  // Sends about kCopySlice bytes, if there is something to be sent; to nobody of `held`. What waits
  // longest of each sender goes first, as a block is of use only when it is there whole.
  int send(RankSet held, Outputs& out);
  // The same of what a lost connection may have lost: when all is delivered that this pass
  // delivers, with which memory goes.
  void repeat(RankSet held, Outputs& out);
  // Some send is not made yet.
  bool has_unsent() const;
  // The memory that has to be granted before the row says so.
  void take_grants(Outputs& out);
  // The connection to this member is another one: what the old one may have lost goes again.
  void on_up(Rank peer);
  // Not all of that is written: what I show as sent must not be shown to this member.
  bool has_lost(Rank peer) const { return !lost_[peer].empty(); }
  bool has_lost() const;
  // Of the transfer that has waited longest at the first of the senders that have any: whom all
  // wait for, and how far that one is (lag_watch.h).
  struct Awaited {
    size_t sender;
    uint64_t number;
    Rank rank;
    uint32_t steps;

    bool is_same(const Awaited& other) const {
      return sender == other.sender && number == other.number && rank == other.rank;
    }
  };
  std::optional<Awaited> awaited() const;
  // This member was not seen to have all blocks of all transfers.
  bool lacks(Rank member) const;
  // The memory that others may write.
  std::vector<GrantedRegion> regions() const;
  // What was revoked from this member can not be written by it any more.
  void on_revoked(NodeId writer, const RegionId& region);
  // The epoch ends here; idempotent.
  void stop();

 private:
  struct Transfer {
    uint64_t number;
    BlockTransfer machine;
    uint32_t block_size;
    MutableBytes record;  // all of it
    MutableBytes value;   // of that, what comes as blocks
    Bytes source;         // at the sender: where the value is copied from
    size_t checked;       // of the value: what its checksum covers, and what is copied
    uint32_t crc;         // of the payload up to there
    RankSet granted;      // members that may write
    RankSet revoked;      // members that may not, but whose writes may still arrive
  };

  size_t slot_of(size_t s, uint64_t number) const {
    return s * kTransfersMax + number % kTransfersMax;
  }
  Transfer* find(size_t s, uint64_t number);
  const Transfer* find(size_t s, uint64_t number) const;
  uint32_t block_size_of(size_t value_size) const;
  Transfer& open(size_t s, const OfferBody& offer, Bytes head, size_t length);
  bool is_mine(size_t s) const { return senders_[s] == me_; }
  uint32_t index_of(size_t s, Rank rank) const;
  Rank rank_of(size_t s, uint32_t index) const;
  RegionId region_of(size_t s, const Transfer& transfer) const;
  Bytes block_of(const Transfer& transfer, uint32_t block) const;
  static bool is_whole(const Transfer& transfer);
  bool look(size_t slot, Transfer& transfer, Rank& broken);
  size_t check(Transfer& transfer, size_t bytes_max);
  size_t send_block(size_t s, Transfer& transfer, RankSet held, Outputs& out);
  size_t repeat_block(Rank peer, Outputs& out);
  void write_block(size_t s, const Transfer& transfer, const BlockTransfer::Send& send, bool stable,
                   Outputs& out);
  void revoke(size_t s, Transfer& transfer, Outputs& out);
  void show(size_t slot, const Transfer& transfer);
  void forget(size_t slot);

  const ShardConfig& config_;
  const std::vector<Rank>& senders_;
  const Rank me_;
  const uint32_t members_;
  ShardTable& table_;
  Store& store_;
  std::vector<std::unique_ptr<Transfer>> slots_;  // by sender and number; null: free
  size_t under_way_ = 0;                          // slots that are not
  struct Counts {                                 // by sender
    uint64_t offered = 0;
    uint64_t placed = 0;
    uint64_t delivered = 0;
  };
  std::vector<Counts> counts_;
  struct Lost {
    size_t sender;
    uint64_t number;
    BlockTransfer::Send send;
  };
  std::vector<std::deque<Lost>> lost_;   // by rank of who may lack them
  std::vector<GrantedRegion> to_grant_;  // with this pass
  size_t turn_ = 0;                      // the sender whose transfers send first
  size_t checks_ = 0;                    // and are checked first
  std::vector<MappedBlock> abandoned_;   // of transfers that did not become segments
};

}  // namespace freshet

#endif  // FRESHET_CORE_LARGE_MULTICAST_H_
