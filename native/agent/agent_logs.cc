// The logs of shards: what was written, what is to be appended, what is forgotten.
#include "native/agent/agent.h"

namespace freshet {

int Agent::run_logs(bool idle) {
  int work = 0;
  for (LogReport report; log_->collect(report); work++) {
    if (report.batch.bytes.empty()) {
      const AgentTask then = std::move(forgetting_.extract(report.batch.shard).mapped());
      then();
      continue;
    }
    ShardHost* host = find(report.batch.shard);
    ShardLog& log = *log_of(report.batch.shard);
    const Status status = log.on_report(report);
    AgentCounters::add(shared_.counters.logBatches);
    AgentCounters::add(shared_.counters.logBytes, report.batch.bytes.size());
    if (!is_ok(status)) {
      stop_epoch(*host, status, 0, true);
      views_.on_disk_failed();
    }
    for (Token token; log.take_synced(token);) answer(token, status);
  }
  for (const auto& [id, log] : logs_) work += log->close(idle);
  return work;
}

ShardLog* Agent::log_of(ShardId shard) {
  const auto found = logs_.find(shard);
  return found == logs_.end() ? nullptr : found->second.get();
}

bool Agent::forget_log(ShardId shard, AgentTask then) {
  if (forgetting_.contains(shard) || !log_->forget(shard)) return false;
  forgetting_.emplace(shard, std::move(then));
  return true;
}

void Agent::report_damage(ShardId shard, Status status, uint64_t segment, uint64_t offset) {
  rows_.push(make_row(RowKind::kDamage, shard, static_cast<uint8_t>(status), segment, offset));
}

void Agent::append_log(ShardId shard, ResultBytes&& records, Token token) {
  ShardHost* host = find(shard);
  if (host == nullptr || !host->is_open()) return answer(token, Status::kNotAMember);
  if (host->is_prepared() && !host->is_behind()) return answer(token, Status::kInvalidArgument);
  appends_.push_back({shard, std::move(records), 0, token});
}

int Agent::take_appends() {
  Append& append = appends_.front();
  ShardHost* host = find(append.shard);
  Status status = host->is_open() ? Status::kOk : Status::kShardStopped;
  const size_t end = append.at + kCopySlice;
  if (is_ok(status) && host->is_raw() && append.at == 0) host->store()->forget_rules();
  while (is_ok(status) && append.at < append.records.size() && append.at < end) {
    const Bytes rest = Bytes(append.records).subspan(append.at);
    if (!is_well_formed(rest)) {
      status = Status::kInvalidArgument;
      break;
    }
    const RecordView record(rest.data());
    Store& store = *host->store();
    status = host->is_raw() ? store.take_rules(record) : store.restore(record, std::nullopt);
    append.at += record.size();
  }
  if (is_ok(status) && append.at < append.records.size()) return 1;
  const Token token = append.token;
  ShardLog* log = log_of(append.shard);
  appends_.pop_front();
  if (!is_ok(status) || log == nullptr) {
    answer(token, status);
  } else {
    log->close(false, true);
    log->await_synced(token);
    for (Token due; log->take_synced(due);) answer(due, log->failed());
  }
  return 1;
}

}  // namespace freshet
