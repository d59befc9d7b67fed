// The logs of shards: what was written, what is to be appended, what is forgotten.
#include <cstring>

#include "native/agent/agent.h"
#include "native/core/work_meter.h"

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
  const ShardId shard = append.shard;
  appends_.pop_front();
  end_append(shard, status, token);
  return 1;
}

// What was appended is answered once it is on disk.
void Agent::end_append(ShardId shard, Status status, Token token) {
  ShardLog* log = log_of(shard);
  if (!is_ok(status) || log == nullptr) return answer(token, status);
  log->close(false, true);
  log->await_synced(token);
  for (Token due; log->take_synced(due);) answer(due, log->failed());
}

Status Agent::begin_incoming(ShardHost& host, Bytes piece) {
  drop_pieces(host.id());
  if (piece.size() < sizeof(RecordHeader)) return Status::kInvalidArgument;
  RecordHeader header;
  std::memcpy(&header, piece.data(), sizeof header);
  if (!is_long_record(header, host.id())) return Status::kInvalidArgument;
  const MutableBytes room = host.store()->reserve_restored(header.length);
  incoming_.emplace(host.id(), Incoming{room, 0, PieceCheck(header)});
  return Status::kOk;
}

void Agent::append_piece(ShardId shard, uint64_t from, Bytes piece, Token token) {
  ShardHost* host = find(shard);
  if (host == nullptr || !host->is_open()) return answer(token, Status::kNotAMember);
  const bool runs = host->is_prepared() && !host->is_behind();
  if (runs || host->is_raw()) return answer(token, Status::kInvalidArgument);
  const Status begun = from == 0 ? begin_incoming(*host, piece) : Status::kOk;
  if (!is_ok(begun)) return answer(token, begun);
  const auto found = incoming_.find(shard);
  if (found == incoming_.end() || found->second.filled != from)
    return answer(token, Status::kConditionFailed);
  Incoming& incoming = found->second;
  if (piece.size() > incoming.room.size() - from) return answer(token, Status::kInvalidArgument);
  copy_metered(incoming.room.data() + from, piece.data(), piece.size());
  incoming.check.add(piece);
  incoming.filled += piece.size();
  if (incoming.filled < incoming.room.size()) return answer(token, Status::kOk);
  if (!incoming.check.is_sound()) {
    drop_pieces(shard);
    return answer(token, Status::kLogCorrupt);
  }
  incoming_.erase(found);
  end_append(shard, host->store()->restore_reserved(), token);
}

void Agent::drop_pieces(ShardId shard) {
  if (incoming_.erase(shard) > 0) find(shard)->store()->abandon_restored();
}

}  // namespace freshet
