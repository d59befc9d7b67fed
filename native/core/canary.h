// Rules of the core that are broken on purpose, one at a time, in a build of its own, where
// the checkers of simulations have to notice. In the product's build none can be broken, and
// nothing of this is left in it.
//
// For the sources that hold these rules, which are compiled once for each build
// (native/core/CMakeLists.txt), and for the programs of the second one; nothing else includes it,
// so no program has both forms.
#ifndef FRESHET_CORE_CANARY_H_
#define FRESHET_CORE_CANARY_H_

#include <cstdint>

namespace freshet {

enum class CoreCanary : uint8_t {
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
  kUngated,       // prepared while those who are left out may hold a lease
  kWedgeAll,      // shards whose members do not change are wedged too
  kUnpromised,    // an acknowledgement promises nothing to whom the one before it removes
  // Of a shard's replica and its store.
  kNoTrim,          // at an epoch's end all is delivered that was received, whoever else has it
  kSkip,            // one member leaves out a message now and then
  kPersistEarly,    // what is on a member's own disk is persisted
  kReadAtOnce,      // a read does not wait for what was received
  kNoNulls,         // who has nothing to send holds the others up
  kOneTime,         // a version may have the time of the one before
  kForgetSessions,  // a request that comes again is applied again
  kStaleKeys,       // a read gives what a key held before, now and then
  kRawTwice,        // one member delivers a raw message again now and then
  kOpenPools,       // a pool that was removed takes changes
};

#ifdef FRESHET_CANARIES
// Of all members in the process; changed between simulations only.
inline CoreCanary broken_rule = CoreCanary::kNone;
inline bool breaks(CoreCanary rule) { return rule == broken_rule; }
#else
constexpr bool breaks(CoreCanary) { return false; }
#endif

}  // namespace freshet

#endif  // FRESHET_CORE_CANARY_H_
