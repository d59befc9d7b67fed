// The member's calls that care for its logs: scrub, survey, repair, digests of its history. They
// run on the job thread, a bounded step each; the agent only tells how far a log is synced.
#include <algorithm>
#include <cstdio>

#include "native/agent/log_repair.h"
#include "native/agent/log_scrub.h"
#include "native/agent/log_survey.h"
#include "native/agent/member.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

ResultBytes bytes_of_text(const std::string& text) {
  const Bytes bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of_pair(uint64_t first, int64_t second) {
  char text[64];
  std::snprintf(text, sizeof text, "[%llu,%lld]", static_cast<unsigned long long>(first),
                static_cast<long long>(second));
  return text;
}

std::string text_of_place(LogPlace place) {
  return text_of_pair(place.segment, static_cast<int64_t>(place.offset));
}

std::string text_of_neighbour(const std::optional<RecordHeader>& header) {
  return header ? text_of_pair(header->epoch, header->sequence) : "null";
}

std::string describe_holes(LogPlace end, const std::vector<LogHole>& holes) {
  std::string text = "{\"end\":";
  text += text_of_place(end);
  text += ",\"holes\":[";
  for (const LogHole& hole : holes) {
    char numbers[128];
    std::snprintf(numbers, sizeof numbers, "%s{\"segment\":%llu,\"begin\":%llu,\"end\":%llu",
                  &hole == &holes.front() ? "" : ",", static_cast<unsigned long long>(hole.segment),
                  static_cast<unsigned long long>(hole.begin),
                  static_cast<unsigned long long>(hole.end));
    text += numbers;
    text += ",\"before\":";
    text += text_of_neighbour(hole.before);
    text += ",\"behind\":";
    text += text_of_neighbour(hole.behind);
    text += "}";
  }
  text += "]}";
  return text;
}

std::string describe_checkpoint(const Checkpoint& checkpoint) {
  char text[160];
  std::snprintf(text, sizeof text,
                "{\"epoch\":%u,\"sequence\":%lld,\"version\":%llu,\"digest\":\"%016llx\"}",
                checkpoint.position.epoch, static_cast<long long>(checkpoint.position.sequence),
                static_cast<unsigned long long>(checkpoint.version),
                static_cast<unsigned long long>(checkpoint.digest));
  return text;
}

std::string describe_step(const ScrubStep& step, LogPlace end) {
  std::string text = "{\"next\":";
  text += text_of_place(step.next);
  text += ",\"bytes\":";
  text += std::to_string(step.bytes);
  text += ",\"end\":";
  text += text_of_place(end);
  text += ",\"damage\":";
  text += is_ok(step.status) ? "null" : text_of_place(step.damage);
  text += "}";
  return text;
}

}  // namespace

Status Member::reopen_log(ShardId shard, Token token) {
  return call([this, shard, token](Agent&) { begin_reopen(shard, token); });
}

// From the agent's thread. A sync that failed may have dropped what the cache still shows, and a
// later one says nothing of that (Rebello et al., ATC 2020). So only what was synced before is
// taken: the others have the rest.
void Member::begin_reopen(ShardId shard, Token token) {
  ShardHost* host = agent_->find(shard);
  if (host == nullptr || !host->view().persistent())
    return agent_->answer(token, Status::kNotAMember);
  // A log that was cut twice would lose what was written to it in between.
  if (reopens_.try_emplace(shard, token).first->second != token)
    return agent_->answer(token, Status::kOverloaded);
  if (!reopening_.contains(shard)) {
    const auto answer = [this, shard, token](Status status) {
      end_reopen(shard, token);
      agent_->answer(token, status);
    };
    const ShardLog* log = agent_->log_of(shard);
    if (log == nullptr || is_ok(log->failed())) return answer(Status::kOk);
    if (host->is_prepared() || host->next() != nullptr || host->subscriptions > 0)
      return answer(Status::kInvalidArgument);
    if (!log->is_settled()) return mail([this, shard, token] { begin_reopen(shard, token); });
    reopening_[shard] = host->store()->config();
    let_go(*host);
  }
  const StoreConfig config = reopening_[shard];
  forget_log(shard, [=, this] { recover(config, {}, token); });
}

// From the agent's thread, of whatever read the log anew.
void Member::end_reopen(ShardId shard, Token token) {
  const auto found = reopens_.find(shard);
  if (found != reopens_.end() && found->second == token) reopens_.erase(found);
}

// How far the log is synced is asked at the agent; the job runs unless the store was made anew
// since.
Status Member::post_log_job(ShardId shard, Token token, LogJob job) {
  return call([this, shard, token, job = std::move(job)](Agent& agent) {
    ShardHost* host = agent.find(shard);
    if (host == nullptr || !host->view().persistent())
      return agent.answer(token, Status::kNotAMember);
    LogAtHand log;
    log.view = &host->view();
    log.generation = log.view->store_generation();
    if (host->is_open()) {
      const Store::DurableAt end = host->store()->synced_end();
      log.end = LogPlace{end.segment, end.offset};
    }
    const Status posted = jobs_->post([this, token, log, job] {
      auto bytes = std::make_shared<ResultBytes>();
      const bool is_same = log.view->store_generation() == log.generation;
      const Status status = is_same ? job(log, *bytes) : Status::kNotCurrent;
      mail([this, status, bytes, token] { agent_->answer(token, status, std::move(*bytes)); });
    });
    if (!is_ok(posted)) agent.answer(token, posted);
  });
}

Status Member::survey_log(ShardId shard, std::optional<uint64_t> segment, LogPlace claimed,
                          Token token) {
  return post_log_job(shard, token,
                      [this, shard, segment, claimed](const LogAtHand& log, ResultBytes& out) {
                        LogSurvey survey(*files_, {shard_folder(config_.data_folder, shard),
                                                   folder_cluster(), shard, log.end, claimed});
                        std::vector<LogHole> holes;
                        const Status status = survey.find_holes(segment, holes);
                        if (is_ok(status)) out = bytes_of_text(describe_holes(survey.end(), holes));
                        return status;
                      });
}

Status Member::repair_log(ShardId shard, LogPlace at, LogPlace claimed, Bytes records,
                          Token token) {
  const auto copy = std::make_shared<ResultBytes>(records.begin(), records.end());
  return post_log_job(
      shard, token, [this, shard, at, claimed, copy](const LogAtHand& log, ResultBytes&) {
        LogRepair repair;
        repair.folder = shard_folder(config_.data_folder, shard);
        repair.cluster = folder_cluster();
        repair.disk = folder_->disk();
        repair.shard = shard;
        if (log.end)
          repair.place_of = [&](Version version) { return query_->place_of(*log.view, version); };
        std::vector<LogHole> holes;
        const Status status =
            LogSurvey(*files_, {repair.folder, repair.cluster, shard, log.end, claimed})
                .find_holes(at.segment, holes);
        if (!is_ok(status)) return status;
        const auto hole = std::ranges::find(holes, at.offset, &LogHole::begin);
        // Somebody was faster.
        return hole == holes.end() ? Status::kOk : fill_hole(*files_, repair, *hole, *copy);
      });
}

Status Member::scrub_log(ShardId shard, LogPlace from, size_t size_max, Token token) {
  // Whoever waits for the job thread comes first.
  if (!is_closed() && jobs_->waiting() > 0) return Status::kOverloaded;
  return post_log_job(shard, token,
                      [this, shard, from, size_max](const LogAtHand& log, ResultBytes& out) {
                        if (!log.end) return Status::kLogCorrupt;
                        const LogScrub scrub{shard_folder(config_.data_folder, shard),
                                             folder_cluster(), shard, *log.end};
                        const ScrubStep step = freshet::scrub_log(*files_, scrub, from, size_max);
                        if (step.status != Status::kOk && step.status != Status::kLogCorrupt)
                          return step.status;
                        out = bytes_of_text(describe_step(step, *log.end));
                        return Status::kOk;
                      });
}

Status Member::read_sound(ShardId shard, LogPosition after, uint64_t from, size_t size_max,
                          Token token) {
  const size_t size = std::clamp(size_max, size_t{1}, kScanBytesMax);
  return post_log_job(
      shard, token, [this, shard, after, from, size](const LogAtHand& log, ResultBytes& out) {
        LogSurvey survey(
            *files_,
            {shard_folder(config_.data_folder, shard), folder_cluster(), shard, log.end, {}});
        return survey.read_sound(after, from, size, out);
      });
}

Status Member::checkpoints(ShardId shard, Token token) {
  return call([shard, token](Agent& agent) {
    const ShardHost* host = agent.find(shard);
    if (host == nullptr || !host->is_open()) return agent.answer(token, Status::kNotAMember);
    const Store& store = *host->store();
    std::string text = "{\"end\":";
    text += describe_checkpoint({store.last_position(), store.newest_version(), store.digest()});
    text += ",\"checkpoints\":[";
    for (const Checkpoint& checkpoint : store.checkpoints()) {
      if (!text.ends_with('[')) text += ",";
      text += describe_checkpoint(checkpoint);
    }
    text += "]}";
    agent.answer(token, bytes_of_text(text));
  });
}

}  // namespace freshet
