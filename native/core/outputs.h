// What one pass of the core asks of the world. Plain data, reused from pass to pass, so that a
// pass allocates nothing once the vectors have grown.
#ifndef FRESHET_CORE_OUTPUTS_H_
#define FRESHET_CORE_OUTPUTS_H_

#include <vector>

#include "native/core/region.h"
#include "native/core/status.h"
#include "native/core/types.h"

namespace freshet {

struct RegionWrite {
  NodeId peer;
  RegionId region;
  uint64_t offset;
  Bytes bytes;  // owned by the core; valid until the next pass, longer if stable
  bool stable;  // unchanged until the peer's counters show that it has it
};

// The answer to one caller of this member.
struct Completion {
  Token token;
  Status status;
  Epoch epoch;
  Version version;  // 0 with an error
  Micros time;
  Version previous_version_of_key;  // with kConditionFailed: the key's newest version
};

// Which events a subscriber acts on, where several members of a shard divide the keys: those
// with xxh3_64(key) % size == rank. The others are marked quiet. Size 0: all of them.
struct EventShare {
  uint32_t rank = 0;
  uint32_t size = 0;
};

// A change under a subscribed prefix.
struct SubscriptionEvent {
  uint64_t subscription;
  ShardId shard;
  Epoch epoch;
  Version version;
  Micros time;
  bool quiet = false;  // somebody else's share, see EventShare: known, but not worth a wake
};

// A message from another member, whole. Owned by whoever takes it out.
struct MemberMessage {
  NodeId from;
  std::vector<std::byte> bytes;
};

// A block of a large message, sent for the first time: what its schedule says of it.
struct BlockSent {
  NodeId sender;      // of the message
  uint32_t transfer;  // of its transfers, modulo 2^32
  uint32_t step;
  NodeId from;
  NodeId to;
  uint32_t block;
};

// A grant that ends.
struct RegionRevoke {
  NodeId writer;
  RegionId region;
};

// In this order: grants, writes, revokes.
struct Outputs {
  std::vector<GrantedRegion> grants;
  std::vector<RegionWrite> writes;
  std::vector<RegionRevoke> revokes;
  std::vector<BlockSent> blocks;  // among the writes; for those who want to know
  std::vector<Completion> completions;
  std::vector<Token> released;  // borrowed values of these submissions are no longer read
  std::vector<SubscriptionEvent> events;
  std::vector<MemberMessage> messages;

  void clear() {
    grants.clear();
    writes.clear();
    revokes.clear();
    blocks.clear();
    completions.clear();
    released.clear();
    events.clear();
    messages.clear();
  }
};

}  // namespace freshet

#endif  // FRESHET_CORE_OUTPUTS_H_
