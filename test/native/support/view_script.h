// Members with views of their own, as in a ViewGroup, with what goes wrong told step by step.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_VIEW_SCRIPT_H_
#define FRESHET_TEST_NATIVE_SUPPORT_VIEW_SCRIPT_H_

#include <functional>
#include <memory>
#include <vector>

#include "test/native/support/view_process.h"

namespace freshet::test {

class ViewScript {
 public:
  ViewScript(uint64_t seed, MembershipLimits limits, NodeId nodes);
  ~ViewScript();

  // A first view of nodes 1 to `members`, in whose seats they are, with these shards.
  void begin(NodeId members, std::vector<ViewShard> shards);
  // Blank.
  void start(NodeId node);
  void crash(NodeId node, bool reset);
  ViewProcess& at(NodeId node) { return *world_.running[node - 1]; }

  void run(Nanos time);
  // False: not within this time.
  bool until(const std::function<bool()>& is_so, Nanos most);
  // No write gets from here to there, or back. Nothing else is cut.
  void part(const std::vector<NodeId>& side);
  // As part(), of one direction between two.
  void cut(NodeId from, NodeId to) { world_.network.cut(from, to); }
  void heal(NodeId from, NodeId to) { world_.network.heal(from, to); }
  // Their connection is lost, and made anew when nothing is in its way.
  void drop(NodeId a, NodeId b) { world_.network.drop(a, b); }

  const std::vector<std::string>& violations() const { return world_.ledger.violations; }
  uint64_t acknowledged() const { return world_.ledger.acknowledgements; }  // puts
  uint64_t outdated() const { return outdated_; }  // incarnations that gave up, and began anew

 private:
  ViewWorld world_;
  const NodeId nodes_;
  // Events of those that are gone may be under way.
  std::vector<std::shared_ptr<ViewProcess>> all_;
  uint64_t incarnations_ = 0;
  uint64_t outdated_ = 0;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_VIEW_SCRIPT_H_
