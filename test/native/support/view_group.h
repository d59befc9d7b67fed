// A cluster whose members come, go, hang and are cut off, from one event heap and one seed: views,
// epochs and histories under faults, with checkers. See membership_test.cc.
//
// Faults are drawn one after the other and are, as a rule, armed: a fault happens to the first
// process that is in a certain step of a change of view. Losses are kept within what the protocol
// bears: of every view that is installed a strict majority of incarnations lives, and of one that
// is under way, unless those who live can tell that nobody has installed it.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_VIEW_GROUP_H_
#define FRESHET_TEST_NATIVE_SUPPORT_VIEW_GROUP_H_

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "test/native/support/view_process.h"

namespace freshet::test {

enum class ViewFault : uint8_t { kCrash, kPause, kCut, kDrop, kStall, kLeave, kAccuse };
inline constexpr size_t kTabledFaults = 3;  // the first of them, by the step that they met

struct ViewConfig {
  uint64_t seed = 1;
  uint32_t accuse_percent = 0;  // of faults: a member that is well is suspected as too slow
  size_t additions = 0;         // shards that leaders add to views
  size_t removals = 0;          // and those that they take away
};

struct ViewResult {
  std::vector<std::string> violations;
  uint64_t trace = 0;
  uint64_t views = 0;
  uint64_t reads = 0;
  uint64_t acknowledgements = 0;
  uint64_t accused = 0;       // members that were suspected as too slow
  uint64_t added = 0;         // shards that came after the first view
  uint64_t removed = 0;       // shards that are closed in the last view
  uint64_t behind = 0;        // ends of epochs that a member fetched
  uint64_t outdated = 0;      // incarnations that gave up
  uint64_t stands_still = 0;  // in a way that core/README.md leaves open
  Nanos settled_after = 0;    // from the end of faults
  std::array<std::array<uint64_t, kViewSteps>, kTabledFaults> faults{};
};

class ViewGroup {
 public:
  explicit ViewGroup(ViewConfig config);
  ~ViewGroup();
  ViewResult run();

 private:
  struct Armed {
    ViewFault fault;
    ViewStep step;
    Nanos until;
  };

  // view_group.cc
  View first_view(size_t members);
  void start(NodeId node, const View* view);
  void client();
  void watch();
  void note_shards();
  bool have_settled() const;
  void put_everywhere();
  bool are_alike();
  bool may_stand_still() const;
  bool is_end_lost(ShardId shard) const;
  void finish(bool in_time);
  std::shared_ptr<ViewProcess> random_process();
  ViewProcess* at(NodeId node) const { return world_.running[node - 1].get(); }

  // view_faults.cc
  void arm();
  void on_stepped(ViewProcess& process);
  void strike(ViewFault fault, ViewProcess& victim);
  void crash(NodeId node, bool reset);
  void restart(NodeId node, Nanos delay);
  void cut(NodeId victim);
  void cut_way(NodeId from, NodeId to, Nanos time);
  bool may_lose(const ViewProcess& victim) const;
  bool is_lost(const ViewProcess& process, const ViewProcess* victim) const;
  bool is_undecided(const View& view, const ViewProcess* victim) const;
  bool keeps_majority(const View& view, SeatSet of, const ViewProcess* victim) const;
  bool lives(const MemberId& id, const ViewProcess* but) const;
  Nanos draw_time();
  void end_faults();

  const ViewConfig config_;
  ViewWorld world_;
  size_t nodes_;
  std::vector<std::shared_ptr<ViewProcess>> all_;
  std::vector<ViewShard> shards_;
  uint64_t incarnations_ = 0;
  size_t faults_left_;
  std::optional<Armed> armed_;
  Nanos ended_ = 0;  // the faults
  std::vector<std::pair<NodeId, Token>> last_puts_;
  bool done_ = false;
  ViewResult result_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_VIEW_GROUP_H_
