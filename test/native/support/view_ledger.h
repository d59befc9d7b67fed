// What members of a ViewGroup delivered, answered and installed, and whether that may be: one order
// of the records of a shard, one sequence of views, nothing acknowledged lost, no read too old.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_VIEW_LEDGER_H_
#define FRESHET_TEST_NATIVE_SUPPORT_VIEW_LEDGER_H_

#include <map>
#include <string>
#include <vector>

#include "native/core/record.h"
#include "native/core/store/store.h"
#include "native/core/view/view.h"

namespace freshet::test {

class ViewLedger {
 public:
  // The versions of this store above `checked` were delivered or filled at `node`.
  void check_history(ShardId shard, const Store& store, Version& checked, NodeId node);
  // A member begins an epoch with the history up to `version`.
  void check_begin(ShardId shard, Epoch epoch, Version version, NodeId node);
  // `before`: the view that it had, 0 for none.
  void check_installed(const View& view, uint32_t before, NodeId node);

  void submitted(Token token) { answers_[token] = 0; }
  // Every submission is answered once, whatever the answer is.
  void answered(Token token);
  void acknowledged(ShardId shard, const Completion& completion);

  // What a linearizable read that begins now has to show.
  Version shown(ShardId shard) { return shown_[shard]; }
  void read(ShardId shard, Version floor, Version value, NodeId node);

  void violation(const std::string& text);

  Version newest(ShardId shard) const;

  std::vector<std::string> violations;
  uint64_t reads = 0;
  uint64_t acknowledgements = 0;
  uint32_t newest_view = 0;

 private:
  struct Entry {
    uint32_t crc;
    Epoch epoch;
    Micros time;
    Token token;
  };
  struct Shard {
    std::vector<Entry> history;             // by version, from 1
    std::map<Epoch, Version> begins;        // history before the epoch
    std::map<Epoch, Version> acknowledged;  // newest by epoch
  };

  void check_kept(const Shard& shard, ShardId id);

  std::map<ShardId, Shard> shards_;
  std::map<ShardId, Version> shown_;
  std::map<uint32_t, View> views_;  // by number
  std::map<Token, int> answers_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_VIEW_LEDGER_H_
