// The member's calls about its shards: opening, history, epochs, reads that take time.
#include <algorithm>
#include <cstdio>

#include "native/agent/member.h"
#include "native/agent/sealed_segment.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

// Of a log that is opened only the segment that goes on is in memory. Whatever is read of the rest
// comes there then: a start that fills memory takes several times as long, most of it for pages
// that nobody asks for.
constexpr uint64_t kRecoveredResidentMax = 0;

void append_number(std::string& out, const char* name, auto value) {
  out += out.empty() ? "{\"" : ",\"";
  out += name;
  out += "\":";
  out += std::to_string(value);
}

}  // namespace

ResultBytes describe_shard(const ShardHost& host) {
  const Store& store = *host.store();
  const LogPosition last = store.last_position();
  char digest[17];
  std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(store.digest()));
  std::string text;
  append_number(text, "shard", host.id());
  append_number(text, "epoch", last.epoch);
  append_number(text, "sequence", last.sequence);
  append_number(text, "version", store.newest_version());
  append_number(text, "time", store.newest_time());
  text += ",\"digest\":\"";
  text += digest;
  text += store.config().persistent ? "\",\"persistent\":true}" : "\",\"persistent\":false}";
  const Bytes bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Status Member::open_shard(ShardId shard, bool persistent, size_t memory_max, Token token,
                          std::optional<LogPosition> cut_after) {
  if (persistent ? log_ == nullptr : cut_after.has_value()) return Status::kInvalidArgument;
  StoreConfig config;
  config.shard = shard;
  config.persistent = persistent;
  config.memory_max = memory_max;
  if (!persistent)
    config.segment_size = std::clamp(memory_max / 16 / kSegmentSizeMin * kSegmentSizeMin,
                                     kSegmentSizeMin, kSegmentSize);
  return call([this, config, cut_after, token](Agent& agent) {
    // One that was found damaged is opened again once it is mended.
    ShardHost* host = agent.find(config.shard);
    if (host != nullptr && (host->is_open() || host->view().persistent() != config.persistent))
      return agent.answer(token, Status::kInvalidArgument);
    if (host == nullptr) host = agent.add_shard(config.shard, config.persistent);
    if (host == nullptr) return agent.answer(token, Status::kOverloaded);
    if (config.persistent) {
      RecoveryConfig recovery;
      recovery.cut_after = cut_after;
      return recover(config, recovery, token);
    }
    agent.open_shard(*host, std::make_shared<Store>(config));
    agent.answer(token, describe_shard(*host));
  });
}

// From the agent's thread: reads the log on the job thread, then gives the store to the agent.
void Member::recover(StoreConfig config, RecoveryConfig recovery, Token token) {
  const ShardId shard = config.shard;
  recovery.data = config_.data_folder;
  recovery.cluster = folder_cluster();
  recovery.disk = folder_->disk();
  recovery.resident_max = kRecoveredResidentMax;
  if (const auto found = failed_at_.find(shard); found != failed_at_.end())
    recovery.cut_at = found->second;
  const Status posted = jobs_->post([this, shard, config, recovery, token] {
    query_->forget(shard);
    auto store = std::make_shared<Store>(config);
    const RecoveryResult result = recover_log(*files_, recovery, *store);
    mail([this, shard, store, result, token] {
      AgentCounters::add(shared_.counters.recoveredRecords, result.records);
      end_reopen(shard, token);
      ShardHost& host = *agent_->find(shard);
      if (result.status == Status::kLogCorrupt)
        agent_->report_damage(shard, result.status, result.segment, result.offset);
      if (!is_ok(result.status)) return agent_->answer(token, result.status);
      reopening_.erase(shard);
      failed_at_.erase(shard);
      agent_->open_shard(host, store);
      agent_->answer(token, describe_shard(host));
    });
  });
  if (is_ok(posted)) return;
  end_reopen(shard, token);
  agent_->answer(token, posted);
}

Status Member::set_rules(ShardId shard, const ShardRules& rules, Token token) {
  return call([shard, rules, token](Agent& agent) {
    ShardHost* host = agent.find(shard);
    agent.answer(token, host == nullptr ? Status::kNotAMember : host->set_rules(rules));
  });
}

Status Member::trace_blocks(ShardId shard, Token token) {
  return call([shard, token](Agent& agent) {
    ShardHost* host = agent.find(shard);
    if (host == nullptr) return agent.answer(token, Status::kNotAMember);
    const std::vector<BlockSent> trace = host->take_trace();
    const Bytes bytes = std::as_bytes(std::span(trace));
    agent.answer(token, Status::kOk, {bytes.begin(), bytes.end()});
  });
}

Status Member::close_shard(ShardId shard, Token token) {
  return call([this, shard, token](Agent&) { begin_close(shard, token); });
}

// From the agent's thread. Whatever opens a log that failed takes what was synced, and no more.
void Member::let_go(ShardHost& host) {
  const ShardLog* log = agent_->log_of(host.id());
  if (log != nullptr && !is_ok(log->failed())) failed_at_[host.id()] = host.store()->synced_end();
  agent_->close_shard(host);
}

// From the agent's thread.
void Member::begin_close(ShardId shard, Token token) {
  ShardHost* host = agent_->find(shard);
  if (host == nullptr || !host->is_open()) return agent_->answer(token, Status::kOk);
  if (host->is_prepared() || host->next() != nullptr)
    return agent_->answer(token, Status::kInvalidArgument);
  // What is at the log thread has to come back first.
  const ShardLog* log = agent_->log_of(shard);
  if (log != nullptr && !log->is_settled())
    return mail([this, shard, token] { begin_close(shard, token); });
  let_go(*host);
  if (log == nullptr) return agent_->answer(token, Status::kOk);
  forget_log(shard, [this, token] { agent_->answer(token, Status::kOk); });
}

// From the agent's thread, of a closed shard: what is done with its files is done behind this.
void Member::forget_log(ShardId shard, AgentTask then) {
  if (agent_->forget_log(shard, then)) return;
  mail([this, shard, then = std::move(then)] { forget_log(shard, then); });
}

Status Member::shard_state(ShardId shard, Token token) {
  return call([shard, token](Agent& agent) {
    const ShardHost* host = agent.find(shard);
    if (host == nullptr || !host->is_open()) return agent.answer(token, Status::kNotAMember);
    agent.answer(token, describe_shard(*host));
  });
}

Status Member::read_log(ShardId shard, LogPosition after, Store::SessionsRead sessions,
                        size_t size_max, Token token) {
  const size_t size = std::clamp(size_max, size_t{1}, kLogBytesMax);
  return call([this, shard, after, sessions, size, token](Agent& agent) {
    ShardHost* host = agent.find(shard);
    if (host == nullptr || !host->is_open()) return agent.answer(token, Status::kNotAMember);
    // A slice at a time: the agent has other things to do. One record may be larger than a slice.
    ResultBytes bytes(std::min(size, kCopySlice));
    size_t used = 0;
    LogPosition last;
    Store::SessionsRead next = sessions;
    const auto read = [&] {
      if (host->is_raw()) return host->store()->read_rules(bytes, used);
      return host->store()->read_log(after, bytes, used, last, &next);
    };
    Status status = read();
    if (status == Status::kOverloaded && size > kCopySlice) {
      bytes.resize(size);
      status = read();
    }
    // With nothing between the two the record that does not fit is the one that is begun.
    if (status == Status::kOverloaded && size == kLogBytesMax && !host->is_raw()) {
      bytes.resize(kPieceBytesMax);
      status = host->store()->read_piece(after, 0, bytes, used);
    }
    if (status == Status::kCold) {
      const Status posted = read_beside(shard, token, [this, shard, after, size](ResultBytes& out) {
        const Status done = query_->read_log(shard, after, size, out);
        if (done != Status::kOverloaded || size < kLogBytesMax) return done;
        out.resize(kPieceBytesMax);
        return query_->read_piece(shard, after, 0, out);
      });
      if (!is_ok(posted)) agent.answer(token, posted);
      return;
    }
    bytes.resize(used);
    agent.answer(token, status, std::move(bytes));
  });
}

Status Member::append_log(ShardId shard, Bytes records, Token token) {
  const auto copy = std::make_shared<ResultBytes>(records.begin(), records.end());
  count_loop_copied(records.size());
  return call(
      [shard, copy, token](Agent& agent) { agent.append_log(shard, std::move(*copy), token); });
}

Status Member::read_piece(ShardId shard, LogPosition after, uint64_t from, size_t size_max,
                          Token token) {
  const size_t size = std::clamp(size_max, size_t{1}, kPieceBytesMax);
  return call([this, shard, after, from, size, token](Agent& agent) {
    ShardHost* host = agent.find(shard);
    if (host == nullptr || !host->is_open()) return agent.answer(token, Status::kNotAMember);
    ResultBytes bytes(size);
    size_t used = 0;
    const Status status = host->store()->read_piece(after, from, bytes, used);
    bytes.resize(used);
    if (status != Status::kCold) return agent.answer(token, status, std::move(bytes));
    const Status posted =
        read_beside(shard, token, [this, shard, after, from, size](ResultBytes& out) {
          out.resize(size);
          return query_->read_piece(shard, after, from, out);
        });
    if (!is_ok(posted)) agent.answer(token, posted);
  });
}

Status Member::append_piece(ShardId shard, uint64_t from, Bytes piece, Token token) {
  if (piece.empty() || piece.size() > kPieceBytesMax) return Status::kInvalidArgument;
  const auto copy = std::make_shared<ResultBytes>(piece.begin(), piece.end());
  return call(
      [shard, from, copy, token](Agent& agent) { agent.append_piece(shard, from, *copy, token); });
}

Status Member::drop_pieces(ShardId shard) {
  return call([shard](Agent& agent) { agent.drop_pieces(shard); }, false);
}

Status Member::cut_back(ShardId shard, LogPosition position, Token token) {
  return call([this, shard, position, token](Agent&) { begin_cut(shard, position, token); });
}

// From the agent's thread.
void Member::begin_cut(ShardId shard, LogPosition position, Token token) {
  ShardHost* host = agent_->find(shard);
  if (host == nullptr || !host->is_open()) return agent_->answer(token, Status::kNotAMember);
  if (host->is_prepared()) return agent_->answer(token, Status::kInvalidArgument);
  const ShardLog* log = agent_->log_of(shard);
  if (log == nullptr) {
    // In memory alone nothing can be cut out of the middle: all of it goes.
    const StoreConfig config = host->store()->config();
    agent_->close_shard(*host);
    agent_->open_shard(*host, std::make_shared<Store>(config));
    return agent_->answer(token, describe_shard(*host));
  }
  if (!is_ok(log->failed())) return agent_->answer(token, log->failed());
  // What is at the log thread has to come back first.
  if (!log->is_settled())
    return mail([this, shard, position, token] { begin_cut(shard, position, token); });
  // The log decides: it is cut, and the store is made anew from it. Files that the log thread has
  // open or made ahead may be removed by that.
  const StoreConfig config = host->store()->config();
  agent_->close_shard(*host);
  RecoveryConfig recovery;
  recovery.cut_after = position;
  forget_log(shard, [=, this] { recover(config, recovery, token); });
}

Status Member::prepare_epoch(EpochOptions options, Token token) {
  return call([options = std::move(options), token](Agent& agent) {
    ShardHost* host = agent.find(options.shard);
    agent.answer(token, host == nullptr ? Status::kNotAMember : host->prepare_epoch(options));
  });
}

Status Member::start_epoch(ShardId shard, Epoch epoch, Token token) {
  return call([shard, epoch, token](Agent& agent) {
    ShardHost* host = agent.find(shard);
    agent.answer(token, host == nullptr ? Status::kNotAMember : host->start_epoch(epoch));
  });
}

Status Member::stop_epoch(ShardId shard, Token token) {
  return call([shard, token](Agent& agent) {
    ShardHost* host = agent.find(shard);
    if (host == nullptr) return agent.answer(token, Status::kNotAMember);
    agent.stop_epoch(*host, Status::kShardStopped, 0, false);
    agent.answer(token, Status::kOk);
  });
}

Status Member::scan(ScanRequest request, Token token) {
  const ShardView* view = find_shard(request.shard);
  if (view == nullptr) return is_closed() ? Status::kClosed : Status::kNotAMember;
  const ShardId shard = request.shard;
  return post_read(shard, token, [this, view, request = std::move(request)](auto& out) {
    const Status status = query_->scan(*view, request, out);
    AgentCounters::add(shared_.counters.jobCopiedBytes, out.size());
    return status;
  });
}

Status Member::read_cold(ShardId shard, uint64_t segment, uint64_t offset, uint32_t length,
                         Token token) {
  const ShardView* view = find_shard(shard);
  if (view == nullptr) return is_closed() ? Status::kClosed : Status::kNotAMember;
  if (!view->persistent()) return Status::kInvalidArgument;
  return post_read(shard, token, [=, this](ResultBytes& out) {
    return query_->read_cold(shard, segment, offset, length, out);
  });
}

Status Member::read_version(ShardId shard, Version version, uint64_t from, uint64_t size_max,
                            Token token) {
  const ShardView* view = find_shard(shard);
  if (view == nullptr) return is_closed() ? Status::kClosed : Status::kNotAMember;
  return post_read(shard, token, [=, this](ResultBytes& out) {
    return query_->read_version(*view, version, from, size_max, out);
  });
}

// At the job thread; the agent's answers, and hears of damage.
Status Member::read_beside(ShardId shard, Token token, ReadJob read) {
  return jobs_->post([this, shard, token, read = std::move(read)] {
    const auto bytes = std::make_shared<ResultBytes>();
    const Status status = read(*bytes);
    const LogPlace damage = query_->damage(shard);
    mail([this, shard, token, bytes, status, damage, segment = query_->take_segment(shard)] {
      if (status == Status::kLogCorrupt)
        agent_->report_damage(shard, status, damage.segment, damage.offset);
      agent_->answer(token, status, std::move(*bytes));
      if (segment) bring_back(shard, *segment);
    });
  });
}

// From the loop.
Status Member::post_read(ShardId shard, Token token, ReadJob read) {
  if (is_closed()) return Status::kClosed;
  const Status status = read_beside(shard, token, std::move(read));
  if (is_ok(status)) calls_++;
  return status;
}

// From the agent's thread: what is read from disk is read again, perhaps, and there may be room.
void Member::bring_back(ShardId shard, uint64_t segment) {
  const ShardHost* host = agent_->find(shard);
  if (is_bringing_back_ || host == nullptr || !host->is_open() ||
      !host->store()->has_room_for(segment))
    return;
  const std::shared_ptr<Store> store = host->store();
  const Status posted = jobs_->post([this, shard, segment, store] {
    const auto read = std::make_shared<SealedSegment>();
    const Status status = read_sealed(*files_, shard_folder(config_.data_folder, shard),
                                      folder_cluster(), shard, segment, *read);
    mail([this, shard, segment, store, status, read] {
      is_bringing_back_ = false;
      if (status == Status::kLogCorrupt)
        agent_->report_damage(shard, status, segment, read->offset);
      if (is_ok(status)) (void)store->bring_back(segment, std::move(read->block), read->used);
    });
  });
  is_bringing_back_ = is_ok(posted);
}

Status Member::subscribe(ShardId shard, uint64_t id, std::string prefix, Version from,
                         Store::SubscriptionFrontier frontier, EventShare share, Token token) {
  return call([=, prefix = std::move(prefix)](Agent& agent) {
    agent.subscribe(shard, id, prefix, from, frontier, share, token);
  });
}

Status Member::unsubscribe(ShardId shard, uint64_t id) {
  return call([shard, id](Agent& agent) { agent.unsubscribe(shard, id); }, false);
}

}  // namespace freshet
