// The store behind a point read of one shard.
//
// Thread: that of the environment.
#ifndef FRESHET_BINDING_SHARD_READ_H_
#define FRESHET_BINDING_SHARD_READ_H_

#include "native/binding/handle.h"

namespace freshet::binding {

// The store, or why there is none.
struct ReadTarget {
  Status status = Status::kOk;
  const ShardView* view = nullptr;
  uint64_t generation = 0;  // of the store, or of one before it
  ShardReaders::Access access;
};

// `member` null: it is closed.
inline ReadTarget find_target(Handle& handle, const Member* member, uint64_t shard) {
  ReadTarget target;
  if (member == nullptr) {
    target.status = Status::kClosed;
    return target;
  }
  target.view = member->find_shard(static_cast<ShardId>(shard));
  if (target.view != nullptr) {
    target.generation = target.view->store_generation();
    target.access = handle.readers().access(*target.view);
  }
  if (target.access.store == nullptr) {
    target.status = Status::kNotAMember;
  } else if (target.access.reader == nullptr) {
    target.status = Status::kOverloaded;
  }
  return target;
}

}  // namespace freshet::binding

#endif  // FRESHET_BINDING_SHARD_READ_H_
