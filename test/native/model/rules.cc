#include "test/native/model/rules.h"

#include <array>

namespace freshet::model {
namespace {

struct Text {
  Rule rule;
  std::string_view name;
  std::string_view meaning;
};

constexpr std::array<Text, kRules> kTexts = {{
    {Rule::kMajority, "majority",
     "who leads, and what it proposes, needs a strict majority of the view"},
    {Rule::kLeaderIsAgreed, "leader-is-agreed", "step 2: who leads proposes only when agreed"},
    {Rule::kLowestRankLeads, "lowest-rank-leads",
     "step 2: the lowest rank that is not suspected leads, nobody else"},
    {Rule::kSuspicionIsSticky, "suspicion-is-sticky",
     "a suspicion ends with its attempt only (off: when its member is heard again)"},
    {Rule::kSuspicionIsShared, "suspicion-is-shared",
     "suspicions in rows that are trusted are taken over"},
    {Rule::kAttemptClearsSuspicion, "attempt-clears-suspicion", "a new attempt clears suspicion"},
    {Rule::kDeliverWhatAllReceived, "deliver-what-all-received",
     "in sequence, once all members of the epoch have received it"},
    {Rule::kAgreedBeforeTrim, "agreed-before-trim", "step 4: the trim is written only when agreed"},
    {Rule::kReuseStandingTrim, "reuse-standing-trim",
     "step 4: a trim that stands in a survivor's row is taken as it is"},
    {Rule::kTrimCopiedBeforeUse, "trim-copied-before-use",
     "step 4: delivered only when all survivors show trim_ready (off: at once)"},
    {Rule::kTrimAtMajority, "trim-at-majority",
     "a trim is used only when a strict majority of the view shows it *"},
    {Rule::kFinalReceivedOnlyWhenAllWedged, "final-received-only-when-all-wedged",
     "step 4: received[] is final when every survivor shows wedged"},
    {Rule::kWedgedReceivesNothing, "wedged-receives-nothing",
     "step 3: having shown wedged a member consumes nothing more"},
    {Rule::kGate, "gate", "nothing is delivered by a trim before the gate opens"},
    {Rule::kGateByReleased, "gate-by-released",
     "released[m] only when my promises to m lapsed or m waived them"},
    {Rule::kGateReleasedByAll, "gate-released-by-all",
     "the gate opens early when every survivor of the view has released all that are gone"},
    {Rule::kGateFromMajorityAcked, "gate-from-majority-acked",
     "the time of the gate begins when a majority has acknowledged (off: I have)"},
    {Rule::kGateCoversSuspected, "gate-covers-suspected",
     "the gate waits for survivors that are suspected, too *"},
    {Rule::kDriftAllowedFor, "drift-allowed-for",
     "promises last L(1 + drift) on my clock (off: L)"},
    {Rule::kWaiverOfItsAttempt, "waiver-of-its-attempt",
     "lease_dropped waives the promises of its own attempt alone"},
    {Rule::kReleasedAnewInAttempt, "released-anew-in-attempt",
     "a new attempt begins with nobody released"},
    {Rule::kLeaseOfMajority, "lease-of-majority",
     "a lease needs stamps echoed by a strict majority (off: my own is enough)"},
    {Rule::kLeaseNeedsAckedEqual, "lease-needs-acked-equal",
     "a lease counts only rows whose acked equals mine"},
    {Rule::kLeaseTwoMajorities, "lease-two-majorities",
     "between acknowledging and installed: majorities of the old and the proposed view"},
    {Rule::kLeaseAfterDropNeedsNewStamps, "lease-after-drop-needs-new-stamps",
     "in a new attempt no stamp of an earlier one gives a lease *"},
    {Rule::kSuspectedDropsLease, "suspected-drops-lease",
     "a member that sees itself suspected drops its lease"},
    {Rule::kEchoFrozenOnSuspicion, "echo-frozen-on-suspicion", "suspecting m freezes echo[m]"},
    {Rule::kPromiseWithAcknowledgement, "promise-with-acknowledgement",
     "who acknowledges a proposal promises to whom the last one would have removed *"},
    {Rule::kAnswerNeedsLease, "answer-needs-lease",
     "what the order came to is answered while I hold my lease"},
    {Rule::kNothingFromSuspected, "nothing-from-suspected",
     "step 1: after marking x nothing is taken from its row"},
    {Rule::kAcknowledgedIsCopied, "acknowledged-is-copied",
     "step 3: who acknowledges a proposal copies it"},
    {Rule::kTakeNewestProposal, "take-newest-proposal",
     "step 2: a new leader first takes the newest proposal in any survivor's row"},
    {Rule::kTakenProposalIsRestamped, "taken-proposal-is-restamped",
     "newest is by (attempt, leader) that last put it forward *"},
    {Rule::kAttemptFencesEarlier, "attempt-fences-earlier",
     "who shows attempt n takes nothing put forward in an earlier one *"},
    {Rule::kNoNewProposalBeforeInstalled, "no-new-proposal-before-installed",
     "step 2: no new proposal before the last is installed in every unsuspected row"},
    {Rule::kDropNeedsLeaders, "drop-needs-leaders",
     "a proposal is dropped only if no leader that is away can have got a majority for it *"},
    {Rule::kDropNeedsEarlierAttempt, "drop-needs-earlier-attempt",
     "a proposal is dropped only in a later attempt than it was put forward in *"},
    {Rule::kPrepareInItsAttempt, "prepare-in-its-attempt",
     "who shows attempt n prepares nothing put forward in an earlier one *"},
    {Rule::kPrepareWaitsForGate, "prepare-waits-for-gate",
     "step 5: prepared only when the gate of that very proposal is open *"},
    {Rule::kPrepareNeedsDelivered, "prepare-needs-delivered",
     "step 5: the trim is delivered, a joiner has its whole history"},
    {Rule::kPrepareNeedsSynced, "prepare-needs-synced", "step 5: the log is synced up to the trim"},
    {Rule::kPrepareIsDurable, "prepare-is-durable",
     "step 5: the view record is durable before prepared is shown"},
    {Rule::kCommitMajorityOfOld, "commit-majority-of-old",
     "step 6: PREPARE from a strict majority of the old view"},
    {Rule::kCommitNeedsAllUnsuspectedSurvivors, "commit-needs-all-unsuspected-survivors",
     "step 6: COMMIT needs PREPARE from all survivors not suspected"},
    {Rule::kCommitWaitsForSuspectedLeaver, "commit-waits-for-suspected-leaver",
     "COMMIT waits for released[x] of a suspected x that leaves an epoch *"},
    {Rule::kInstalledIsCommit, "installed-is-commit",
     "step 6: seeing installed in any row is a COMMIT (off: in the leader's)"},
    {Rule::kLeaverStopsAtPrepare, "leaver-stops-at-prepare",
     "step 5: who leaves an epoch answers nothing there once it has acknowledged PREPARE"},
    {Rule::kNoReadsWhileWedged, "no-reads-while-wedged",
     "from wedged until the trim is delivered no linearizable read"},
    {Rule::kReadWaitsForReceived, "read-waits-for-received",
     "a linearizable read waits until delivered has reached its received frontier"},
    {Rule::kPersistedShownOnly, "persisted-shown-only",
     "a persistent pool shows and acknowledges what is persisted everywhere"},
    {Rule::kRestartFromNewestCommitted, "restart-from-newest-committed",
     "the newest committed view starts"},
    {Rule::kRestartAdoptsPrepared, "restart-adopts-prepared",
     "a prepared successor that anyone present has is adopted"},
    {Rule::kRestartMajorityOfAdopted, "restart-majority-of-adopted",
     "a prepared view is adopted by a majority of its own members *"},
    {Rule::kRestartNewestByBallot, "restart-newest-by-ballot",
     "of prepared records of one number the one put forward last wins *"},
    {Rule::kRestartCommittedBeforePrepared, "restart-committed-before-prepared",
     "of records with one number the committed one counts before prepared ones"},
    {Rule::kRestartMajorityOfBase, "restart-majority-of-base",
     "a majority of the newest committed view is here, besides one of what is adopted"},
    {Rule::kRestartBaseTakesPart, "restart-base-takes-part",
     "who is here of the newest committed view takes part, too"},
    {Rule::kRestartAdoptedIsNoted, "restart-adopted-is-noted",
     "all note the adopted view before anyone prepares the view after it"},
    {Rule::kRestartAdoptedIsRestamped, "restart-adopted-is-restamped",
     "what is adopted is noted under the restart's number, which tells what is newest *"},
    {Rule::kRestartHoldersHavePrepared, "restart-holders-have-prepared",
     "who has not prepared the shard's last epoch is no holder of its history"},
    {Rule::kRestartUnpreparedNeedsAll, "restart-unprepared-needs-all",
     "of an epoch that nobody here prepared all members have to be here, if it can have begun"},
    {Rule::kRestartAbsentMayHavePrepared, "restart-absent-may-have-prepared",
     "an epoch began only if majorities can have prepared: who is not here may have"},
    {Rule::kRestartClosedNeedsAll, "restart-closed-needs-all",
     "of a closed shard all that may have held it last have to be here"},
    {Rule::kRestartOthersAreCut, "restart-others-are-cut",
     "others cut back to the point that they have in common with the longest"},
    {Rule::kRestartFilledBeforePrepared, "restart-filled-before-prepared",
     "all are filled before anyone prepares the restart view"},
    {Rule::kRestartPreparedByAll, "restart-prepared-by-all",
     "a restart view begins when all who take part have prepared it"},
    {Rule::kRestartNumberPlusTwo, "restart-number-plus-two",
     "the restart view takes number + 2, so that no unseen prepared record looks newest"},
    {Rule::kRestartPromise, "restart-promise",
     "who offers its records for a restart view notes its number durably *"},
    {Rule::kRestartWaitsLease, "restart-waits-lease",
     "nothing is delivered or answered until L(1 + drift) after the last of them started"},
    {Rule::kIncompleteJoinerDoesNotCount, "incomplete-joiner-does-not-count",
     "step 5: an incomplete joiner counts for no restart until filled"},
}};

const Text& text_of(Rule rule) { return kTexts[static_cast<size_t>(rule)]; }

}  // namespace

std::string_view name_of(Rule rule) { return text_of(rule).name; }
std::string_view meaning_of(Rule rule) { return text_of(rule).meaning; }

bool is_for_progress(Rule rule) {
  return rule == Rule::kSuspicionIsShared || rule == Rule::kAttemptClearsSuspicion ||
         rule == Rule::kInstalledIsCommit;
}

std::optional<Rule> rule_named(std::string_view name) {
  for (const Text& text : kTexts) {
    if (text.name == name) return text.rule;
  }
  return std::nullopt;
}

}  // namespace freshet::model
