// The rules of core/README.md that exist for safety, each one a switch of the model. With a rule
// off the checker has to find a violation: its canary.
#ifndef FRESHET_TEST_NATIVE_MODEL_RULES_H_
#define FRESHET_TEST_NATIVE_MODEL_RULES_H_

#include <bitset>
#include <cstddef>
#include <optional>
#include <string_view>

namespace freshet::model {

enum class Rule {
  kMajority,
  kLeaderIsAgreed,
  kLowestRankLeads,
  kSuspicionIsSticky,
  kSuspicionIsShared,
  kAttemptClearsSuspicion,
  kDeliverWhatAllReceived,
  kAgreedBeforeTrim,
  kReuseStandingTrim,
  kTrimCopiedBeforeUse,
  kTrimAtMajority,
  kFinalReceivedOnlyWhenAllWedged,
  kWedgedReceivesNothing,
  kGate,
  kGateByReleased,
  kGateReleasedByAll,
  kGateFromMajorityAcked,
  kGateCoversSuspected,
  kDriftAllowedFor,
  kWaiverOfItsAttempt,
  kReleasedAnewInAttempt,
  kLeaseOfMajority,
  kLeaseNeedsAckedEqual,
  kLeaseTwoMajorities,
  kLeaseAfterDropNeedsNewStamps,
  kSuspectedDropsLease,
  kEchoFrozenOnSuspicion,
  kPromiseWithAcknowledgement,
  kAnswerNeedsLease,
  kNothingFromSuspected,
  kAcknowledgedIsCopied,
  kTakeNewestProposal,
  kTakenProposalIsRestamped,
  kAttemptFencesEarlier,
  kNoNewProposalBeforeInstalled,
  kDropNeedsLeaders,
  kDropNeedsEarlierAttempt,
  kPrepareInItsAttempt,
  kPrepareWaitsForGate,
  kPrepareNeedsDelivered,
  kPrepareNeedsSynced,
  kPrepareIsDurable,
  kCommitMajorityOfOld,
  kCommitNeedsAllUnsuspectedSurvivors,
  kCommitWaitsForSuspectedLeaver,
  kInstalledIsCommit,
  kLeaverStopsAtPrepare,
  kNoReadsWhileWedged,
  kReadWaitsForReceived,
  kPersistedShownOnly,
  kRestartFromNewestCommitted,
  kRestartAdoptsPrepared,
  kRestartMajorityOfAdopted,
  kRestartNewestByBallot,
  kRestartCommittedBeforePrepared,
  kRestartMajorityOfBase,
  kRestartBaseTakesPart,
  kRestartAdoptedIsNoted,
  kRestartAdoptedIsRestamped,
  kRestartHoldersHavePrepared,
  kRestartUnpreparedNeedsAll,
  kRestartAbsentMayHavePrepared,
  kRestartClosedNeedsAll,
  kRestartOthersAreCut,
  kRestartFilledBeforePrepared,
  kRestartPreparedByAll,
  kRestartNumberPlusTwo,
  kRestartPromise,
  kRestartWaitsLease,
  kIncompleteJoinerDoesNotCount,
};

inline constexpr size_t kRules = static_cast<size_t>(Rule::kIncompleteJoinerDoesNotCount) + 1;

// What the command line and the README call a rule.
std::string_view name_of(Rule rule);
// The sentence of core/README.md, or what the model found missing there.
std::string_view meaning_of(Rule rule);
// Without it nothing goes wrong, but members stand still: its canary asks for rest, too.
bool is_for_progress(Rule rule);
std::optional<Rule> rule_named(std::string_view name);

class RuleSet {
 public:
  static RuleSet all() {
    RuleSet rules;
    rules.on_.set();
    return rules;
  }
  RuleSet without(Rule rule) const {
    RuleSet rules = *this;
    rules.on_.reset(static_cast<size_t>(rule));
    return rules;
  }
  bool on(Rule rule) const { return on_.test(static_cast<size_t>(rule)); }

 private:
  std::bitset<kRules> on_;
};

}  // namespace freshet::model

#endif  // FRESHET_TEST_NATIVE_MODEL_RULES_H_
