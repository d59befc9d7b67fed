// The protocol of core/README.md over a State, one atomic Action at a time, with each rule
// switchable.
//
// This is no part of the product and shares no code with it: it says what core/README.md says, so
// that core/README.md can be searched for mistakes. Left out: nulls (a sender that lags sends a
// message instead), sessions, cuts, the disk's damage, the pieces of a transfer (a joiner takes a
// donor's log in one step).
//
// Invariants, checked at every step (numbers of core/README.md): one record a log position and none
// delivered beyond a trim, epochs that begin alike (1, 2), no linearizable read older than what was
// shown before it began and nothing shown that a restart loses (3, 5), committed views in one chain
// of majorities (4).
#ifndef FRESHET_TEST_NATIVE_MODEL_MODEL_H_
#define FRESHET_TEST_NATIVE_MODEL_MODEL_H_

#include <optional>
#include <string>

#include "test/native/model/action.h"
#include "test/native/model/rules.h"
#include "test/native/model/state.h"

namespace freshet::model {

// How a run begins: all nodes are up, those in no view are blank and may be joined.
struct Setup {
  Mask members = 0b00111;
  Mask shard = 0b00111;
  bool persistent = false;
};

class Model {
 public:
  Model(const RuleSet& rules, const Setup& setup);

  // Does it if it can be done now; false changes nothing.
  bool apply(const Action& action);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }
  // What was violated first; empty while nothing is.
  const std::string& violation() const { return violation_; }

 private:
  bool on(Rule rule) const { return rules_.on(rule); }
  Member& member(int node) { return state_.members[static_cast<size_t>(node)]; }
  const Member& member(int node) const { return state_.members[static_cast<size_t>(node)]; }
  Row& seen(int node, int other) { return member(node).table[static_cast<size_t>(other)]; }
  const Row& seen(int node, int other) const {
    return member(node).table[static_cast<size_t>(other)];
  }
  Row& own(int node) { return seen(node, node); }
  const Row& own(int node) const { return seen(node, node); }
  View& view(int index) { return state_.views[static_cast<size_t>(index)]; }
  const View& view(int index) const { return state_.views[static_cast<size_t>(index)]; }
  const View& view_of(int node) const { return view(own(node).installed); }
  bool is_up(int node) const { return member(node).phase == Phase::kUp; }
  bool is_ancestor(int ancestor, int descendant) const;
  // How long a promise lasts on the clock of who gave it.
  Byte lapse() const { return on(Rule::kDriftAllowedFor) ? kLapse : kLease; }
  void violate(const std::string& text);
  bool apply_member(const Action& action);

  // exchange.cc: clocks, rows, suspicion, attempts, leases
  bool tick(int lagging);
  bool arrive(int from, int to);
  void publish(int node);
  bool heartbeat(int node);
  Mask known_to(int node) const;
  bool suspect(int node, Mask whom);
  bool share_suspicion(int node);
  bool drop_lease(int node);
  bool is_suspected_by_others(int node) const;
  bool is_stuck(int node) const;
  bool new_attempt(int node);
  bool join_attempt(int node);
  void enter_attempt(int node, Byte attempt);
  bool is_echoed_by_majority(int node, Mask of) const;
  bool holds_lease(int node) const;

  // view_change.cc: steps 2, 3, 5 and 6
  bool is_first(int node) const;
  bool is_leader(int node) const;
  bool is_agreed(int node) const;
  bool is_newer(const Row& row, const Row& than) const;
  bool is_pending(int node, Byte proposal) const;
  bool may_take(int node, int from) const;
  bool propose(int node, Change change, int which);
  bool can_finish(int node, Byte proposal) const;
  bool may_drop(int node, const Row& newest) const;
  bool is_installed_somewhere(int node, Byte proposal) const;
  bool is_blank(int node) const;
  Byte compose(int node, Change change, int which, bool drops);
  Byte find_alike(const View& next) const;
  void put_forward(int node, Byte proposal, Byte ballot);
  void promise_to(int node, Byte proposal);
  bool acknowledge(int node);
  bool acknowledge_installed(int node);
  bool ends_epoch(Byte proposal) const { return view(proposal).epoch == proposal; }
  bool prepare(int node);
  bool fill_from_donor(int node, Byte proposal);
  bool begins_anew(Byte proposal) const;
  Mask prepared(int node) const;
  bool commit(int node);
  bool are_leavers_released(int node) const;
  bool install(int node);
  void become_installed(int node, Byte proposal);
  void on_commit(Byte index);

  // epoch_end.cc: step 4 and the gate
  Mask survivors(int node) const;
  bool ending(int node) const;
  Mask gone(int node) const;
  void note_gate(int node);
  bool release(int node, int whom);
  bool is_gate_open(int node) const;
  bool write_trim(int node);
  bool copy_trim(int node);
  bool take_trim(int node, int from);
  bool is_trim_ready(int node) const;
  bool deliver_trim(int node);
  bool has_all_of_trim(int node) const;

  // shard.cc: messages, delivery, reads
  int senders(Byte epoch) const;
  int sender_rank(Byte epoch, int node) const;
  bool is_serving(int node) const;
  int contiguous(int node, int other) const;
  int persisted_everywhere(int node) const;
  bool send(int node);
  bool receive(int node, int from);
  bool deliver(int node);
  bool is_current(int node) const;
  void append(int node, int sender, int index);
  void check_begins_alike(int node);
  bool persist(int node);
  bool show(int node);
  void note_shown(int node, int length);
  bool may_read(int node) const;
  bool start_read(int node);
  bool finish_read(int node);

  // restart_plan.cc: what a restart goes on from
  struct Lineage {
    Byte base = 0;    // the newest view known to be committed
    Byte newest = 0;  // that one, or what was prepared to follow it
    Byte ballot = 0;  // of the newest, when it was prepared alone
  };
  // A view on somebody's disk.
  struct Offer {
    Byte view = 0;
    Byte at = 0;  // the number under which it was put forward last
    Byte ballot = 0;
  };
  std::optional<Lineage> lineage(Mask present) const;
  Byte newest_number(Mask present) const;
  Byte view_committed(Mask present, Byte number) const;
  Offer newest_prepared(Mask present, Byte above) const;
  Offer prepared_offer(int node) const;
  bool is_later(const Offer& offer, const Offer& than) const;
  Mask participants(Mask present, const Lineage& from) const;
  Mask holders(Mask here, const Lineage& from) const;
  Mask holders_of(Mask here, const View& last) const;
  bool may_be_committed(Mask here, const Lineage& from) const;
  Mask incomplete() const;
  Mask prepared_in(Mask nodes, Byte epoch_number) const;
  Byte prepared_epoch(int node) const;
  int longest(Mask holders) const;
  Byte next_number(Mask present, Byte newest) const;
  Byte next_epoch_number(Mask present, Byte newest) const;

  // restart.cc: its steps
  bool crash(int node);
  bool boot(int node);
  bool meet(Mask present);
  bool takes_part(int node) const;
  bool restart_fill(int node);
  bool restart_adopt(int node);
  bool restart_prepare(int node);
  bool restart_commit(int node);
  void start_from_disk(int node);
  void check_nothing_lost(Byte index);
  bool abandon_restart(int node);

  RuleSet rules_;
  State state_;
  std::string violation_;
};

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_MODEL_H_
