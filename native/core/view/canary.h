// Rules of the membership that are broken on purpose, one at a time, in a build of its own, where
// the checkers of simulations have to notice. In the product's build none can be broken, and
// nothing of this is left in it.
//
// For the sources that hold these rules, which are compiled once for each build
// (native/core/CMakeLists.txt), and for the programs of the second one; nothing else includes it,
// so no program has both forms.
#ifndef FRESHET_CORE_VIEW_CANARY_H_
#define FRESHET_CORE_VIEW_CANARY_H_

#include <cstdint>

namespace freshet {

enum class MembershipCanary : uint8_t {
  kNone,
  kMinority,      // members that are no majority go on
  kNoGate,        // promises to those who are gone are not waited for
  kNoLease,       // reads are answered without promises
  kPrepareEarly,  // before the ends of epochs
  kCommitEarly,   // without all survivors that nobody suspects
  kNoThaw,        // a new attempt does not read the rows of former suspects
  kNoHold,        // new epochs are written to members that are not prepared
  kLateUnwedged,  // what is attached after its end was proposed is not wedged
  kDropAlive,     // a proposal is dropped that may have been committed
};

#ifdef FRESHET_CANARIES
// Of all members in the process; changed between simulations only.
inline MembershipCanary broken_rule = MembershipCanary::kNone;
inline bool breaks(MembershipCanary rule) { return rule == broken_rule; }
#else
constexpr bool breaks(MembershipCanary) { return false; }
#endif

}  // namespace freshet

#endif  // FRESHET_CORE_VIEW_CANARY_H_
