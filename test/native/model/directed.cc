#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

const std::vector<Scenario>& all() {
  static const std::vector<Scenario> scenarios = [] {
    std::vector<Scenario> list = lease_scenarios();
    for (const std::vector<Scenario>& more :
         {gate_scenarios(), takeover_scenarios(), drop_scenarios(), epoch_end_scenarios(),
          restart_scenarios(), adoption_scenarios()})
      list.insert(list.end(), more.begin(), more.end());
    return list;
  }();
  return scenarios;
}

}  // namespace

std::optional<Scenario> directed_scenario(std::string_view name) {
  for (const Scenario& scenario : all()) {
    if (scenario.name == name) return scenario;
  }
  return std::nullopt;
}

std::vector<std::string_view> directed_names() {
  std::vector<std::string_view> names;
  for (const Scenario& scenario : all()) names.push_back(scenario.name);
  return names;
}

std::string_view directed_for(Rule rule) {
  switch (rule) {
    case Rule::kGate:
    case Rule::kGateByReleased:
      return "cut-off-reader";
    case Rule::kGateCoversSuspected:
      return "suspected-survivor";
    case Rule::kLeaseNeedsAckedEqual:
      return "removed-reader";
    case Rule::kLeaseTwoMajorities:
      return "two-majorities";
    case Rule::kLeaseAfterDropNeedsNewStamps:
      return "waived-then-new-attempt";
    case Rule::kSuspectedDropsLease:
      return "waived-lease";
    case Rule::kEchoFrozenOnSuspicion:
      return "echo-after-suspicion";
    case Rule::kNothingFromSuspected:
      return "late-proposal";
    case Rule::kAgreedBeforeTrim:
      return "trim-unagreed";
    case Rule::kTrimCopiedBeforeUse:
    case Rule::kTrimAtMajority:
      return "trim-alone";
    case Rule::kNoNewProposalBeforeInstalled:
      return "second-thoughts";
    case Rule::kTakenProposalIsRestamped:
      return "third-attempt";
    case Rule::kAttemptFencesEarlier:
      return "earlier-attempt";
    case Rule::kDropNeedsEarlierAttempt:
      return "early-drop";
    case Rule::kPrepareInItsAttempt:
      return "late-preparation";
    case Rule::kPromiseWithAcknowledgement:
    case Rule::kPrepareWaitsForGate:
      return "dropped-twice";
    case Rule::kCommitWaitsForSuspectedLeaver:
      return "leaver-suspected";
    case Rule::kLeaverStopsAtPrepare:
      return "leaver-prepared";
    case Rule::kPersistedShownOnly:
      return "power-cut";
    case Rule::kLowestRankLeads:
      return "two-leaders";
    case Rule::kSuspicionIsSticky:
      return "late-proposal";
    case Rule::kDriftAllowedFor:
      return "lagging-reader";
    case Rule::kGateFromMajorityAcked:
      return "unheard-leader";
    case Rule::kGateReleasedByAll:
      return "cut-off-reader";
    case Rule::kWaiverOfItsAttempt:
    case Rule::kReleasedAnewInAttempt:
      return "waived-before";
    case Rule::kAnswerNeedsLease:
      return "begun-anew";
    case Rule::kPrepareNeedsSynced:
      return "unsynced-end";
    case Rule::kRestartOthersAreCut:
    case Rule::kRestartFilledBeforePrepared:
      return "unshared-tail";
    case Rule::kRestartClosedNeedsAll:
      return "closed-shard";
    case Rule::kRestartFromNewestCommitted:
      return "old-view-returns";
    case Rule::kRestartAdoptsPrepared:
      return "prepared-only";
    case Rule::kRestartNewestByBallot:
      return "one-number-twice";
    case Rule::kRestartCommittedBeforePrepared:
      return "lost-record";
    case Rule::kRestartMajorityOfBase:
      return "minority-of-base";
    case Rule::kRestartBaseTakesPart:
      return "base-left-out";
    case Rule::kRestartAdoptedIsNoted:
      return "half-adopted";
    case Rule::kRestartAdoptedIsRestamped:
      return "adopted-beside-another";
    case Rule::kRestartHoldersHavePrepared:
      return "unfilled-joiner";
    case Rule::kRestartUnpreparedNeedsAll:
      return "shard-moved-on";
    case Rule::kRestartAbsentMayHavePrepared:
      return "prepared-by-few";
    case Rule::kRestartNumberPlusTwo:
      return "unseen-record";
    case Rule::kRestartPromise:
      return "broken-restart";
    case Rule::kRestartWaitsLease:
      return "quick-restart";
    case Rule::kIncompleteJoinerDoesNotCount:
      return "incomplete-joiner";
    default:
      return "any";
  }
}

}  // namespace freshet::model
