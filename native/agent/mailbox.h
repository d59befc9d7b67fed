// Where slow threads leave work for the agent, and results for the event loop. Not for the data
// path: each takes a lock.
//
// Threads: any; Mailbox::take is the agent's, Results::take the event loop's.
#ifndef FRESHET_AGENT_MAILBOX_H_
#define FRESHET_AGENT_MAILBOX_H_

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "native/core/outputs.h"
#include "native/core/types.h"

namespace freshet {

using AgentTask = std::function<void()>;

class Mailbox {
 public:
  void put(AgentTask task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    has_mail_.store(true, std::memory_order_seq_cst);
  }
  bool has_mail() const { return has_mail_.load(std::memory_order_seq_cst); }
  std::vector<AgentTask> take() {
    const std::lock_guard lock(mutex_);
    has_mail_.store(false, std::memory_order_seq_cst);
    return std::exchange(tasks_, {});
  }

 private:
  std::atomic<bool> has_mail_{false};
  std::mutex mutex_;  // guards tasks_
  std::vector<AgentTask> tasks_;
};

using ResultBytes = std::vector<std::byte>;

// Bytes that wait under a caller's token.
class Results {
 public:
  static constexpr size_t kBytesMax = size_t{256} << 20;

  // False: too much waits already. One that alone is more than may wait is taken beside less.
  bool put(Token token, ResultBytes&& bytes) {
    const std::lock_guard lock(mutex_);
    const bool is_over = bytes.size() <= kBytesMax && bytes_ + bytes.size() > kBytesMax;
    if (is_over || bytes_ > kBytesMax) return false;
    bytes_ += bytes.size();
    waiting_.insert_or_assign(token, std::move(bytes));
    return true;
  }
  std::optional<ResultBytes> take(Token token) {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(token);
    if (found == waiting_.end()) return std::nullopt;
    ResultBytes bytes = std::move(found->second);
    waiting_.erase(found);
    bytes_ -= bytes.size();
    return bytes;
  }

 private:
  std::mutex mutex_;  // guards the rest
  std::unordered_map<Token, ResultBytes> waiting_;
  size_t bytes_ = 0;
};

// Messages of other members, whole, until the event loop takes them.
class Inbox {
 public:
  static constexpr size_t kBytesMax = size_t{64} << 20;  // beyond it the peers have to wait
  static constexpr size_t kMessageCost = 256;  // of a message and its row, beside its bytes

  void put(MemberMessage&& message) {
    const std::lock_guard lock(mutex_);
    bytes_.fetch_add(message.bytes.size() + kMessageCost, std::memory_order_relaxed);
    waiting_.push_back(std::move(message));
  }
  std::optional<MemberMessage> take() {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return std::nullopt;
    MemberMessage message = std::move(waiting_.front());
    waiting_.pop_front();
    bytes_.fetch_sub(message.bytes.size() + kMessageCost, std::memory_order_seq_cst);
    return message;
  }
  bool is_full() const { return bytes_.load(std::memory_order_seq_cst) > kBytesMax; }

 private:
  std::mutex mutex_;  // guards waiting_
  std::deque<MemberMessage> waiting_;
  std::atomic<size_t> bytes_{0};
};

}  // namespace freshet

#endif  // FRESHET_AGENT_MAILBOX_H_
