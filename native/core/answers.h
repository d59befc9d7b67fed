// Who waits at this member for what: submissions for the disks, reads for a frontier.
//
// Thread: the agent's.
// Invariants
//  1. Every waiter is answered exactly once.
//  2. Each queue is in the order of the count it waits for, so a pass looks at fronts only.
#ifndef FRESHET_CORE_ANSWERS_H_
#define FRESHET_CORE_ANSWERS_H_

#include <cstdint>
#include <vector>

#include "native/core/fixed_queue.h"
#include "native/core/outputs.h"
#include "native/core/store/store.h"

namespace freshet {

inline constexpr size_t kWaitersMax = 4096;  // reads waiting at once for one frontier of a shard

class Answers {
 public:
  explicit Answers(size_t submissions_max) : unsynced_(submissions_max) {}

  size_t unsynced() const { return unsynced_.size(); }

  // The submission at `sequence` waits for the disks of all members, or for the next view.
  void await_sync(Token token, Sequence sequence, const Applied& applied) {
    unsynced_.push({sequence,
                    {token, applied.status, applied.epoch, applied.version, applied.time,
                     applied.previous_version_of_key}});
  }
  // A read waits until `sequences` are delivered, or synced everywhere.
  void await_delivered(Token token, uint64_t sequences) { await(at_delivered_, token, sequences); }
  void await_persisted(Token token, uint64_t sequences) { await(at_persisted_, token, sequences); }
  // No read can become current any more in this epoch.
  void refuse_read(Token token) { refused_.push_back({token, Status::kNotCurrent}); }

  // Sequences that readers find delivered, that are on every disk, and that readers find so.
  struct Reached {
    uint64_t delivered;
    uint64_t persisted;
    uint64_t visible;
  };
  // Answers what waits for at most this; `state` is what a read may now see.
  int release(const Reached& reached, const Completion& state, Outputs& out) {
    int count = refuse(out);
    for (; !unsynced_.empty() &&
           reached.persisted > static_cast<uint64_t>(unsynced_.front().sequence);
         unsynced_.pop(), count++)
      out.completions.push_back(unsynced_.front().completion);
    return count + release_readers(at_delivered_, reached.delivered, state, out) +
           release_readers(at_persisted_, reached.visible, state, out);
  }

  // Answers all with an error.
  int fail(Status reason, Outputs& out) {
    int count = refuse(out);
    for (; !unsynced_.empty(); unsynced_.pop(), count++)
      out.completions.push_back({unsynced_.front().completion.token, reason, 0, 0, 0, 0});
    return count + fail_readers(reason, out);
  }
  // Answers all reads with an error.
  int fail_readers(Status reason, Outputs& out) {
    const Completion failed{0, reason, 0, 0, 0, 0};
    return release_readers(at_delivered_, UINT64_MAX, failed, out) +
           release_readers(at_persisted_, UINT64_MAX, failed, out);
  }

 private:
  struct Unsynced {
    Sequence sequence;
    Completion completion;
  };
  struct Reader {
    Token token;
    uint64_t sequences;
  };
  struct Refusal {
    Token token;
    Status reason;
  };

  void await(FixedQueue<Reader>& queue, Token token, uint64_t sequences) {
    if (queue.full()) {
      refused_.push_back({token, Status::kOverloaded});
    } else {
      queue.push({token, sequences});
    }
  }
  static int release_readers(FixedQueue<Reader>& queue, uint64_t sequences, const Completion& state,
                             Outputs& out) {
    int count = 0;
    for (; !queue.empty() && queue.front().sequences <= sequences; queue.pop(), count++) {
      out.completions.push_back(state);
      out.completions.back().token = queue.front().token;
    }
    return count;
  }
  int refuse(Outputs& out) {
    const int count = static_cast<int>(refused_.size());
    for (const Refusal& refusal : refused_)
      out.completions.push_back({refusal.token, refusal.reason, 0, 0, 0, 0});
    refused_.clear();
    return count;
  }

  FixedQueue<Unsynced> unsynced_;
  FixedQueue<Reader> at_delivered_{kWaitersMax};
  FixedQueue<Reader> at_persisted_{kWaitersMax};
  std::vector<Refusal> refused_;  // reads, since the last pass
};

}  // namespace freshet

#endif  // FRESHET_CORE_ANSWERS_H_
