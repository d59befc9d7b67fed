#include "native/agent/shard_log.h"

namespace freshet {

int ShardLog::close(bool idle, bool all) {
  if (!is_ok(failed_) || host_.store() == nullptr) return 0;
  Store& store = *host_.store();
  int count = 0;
  while (all || in_flight_ < kBatchesInFlightMax) {
    if (!has_held_) {
      // What was delivered of an epoch says nothing of the position in the one before.
      const bool has_epoch =
          host_.replica() != nullptr && host_.epoch() == store.last_position().epoch;
      const Sequence delivered =
          has_epoch ? host_.replica()->frontiers().delivered.load(std::memory_order_relaxed)
                    : store.last_position().sequence;
      has_held_ = store.close_batch(delivered, held_);
      if (!has_held_ && idle && in_flight_ == 0) has_held_ = store.close_idle(held_);
      if (!has_held_) {
        has_more_ = false;
        return count;
      }
      closed_++;
    }
    if (!writer_.submit(held_)) break;
    has_held_ = false;
    in_flight_++;
    count++;
  }
  has_more_ = true;  // perhaps
  return count;
}

Status ShardLog::on_report(const LogReport& report) {
  in_flight_--;
  reported_++;
  Store& store = *host_.store();
  if (!is_ok(report.status)) {
    failed_ = report.status;
    has_held_ = has_more_ = false;
    store.on_log_failed();
    return report.status;
  }
  store.on_batch_synced(report.batch);
  if (host_.is_running() && report.batch.epoch == host_.epoch()) {
    host_.replica()->on_synced(report.batch.last_sequence);
    host_.dirty = true;
  }
  return Status::kOk;
}

bool ShardLog::take_synced(Token& token) {
  if (waiting_.empty() || (waiting_.front().batch > reported_ && is_ok(failed_))) return false;
  token = waiting_.front().token;
  waiting_.pop_front();
  return true;
}

}  // namespace freshet
