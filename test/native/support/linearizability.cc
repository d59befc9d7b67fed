#include "test/native/support/linearizability.h"

#include <algorithm>
#include <unordered_set>

namespace freshet::test {
namespace {

using Kind = RegisterOperation::Kind;

// The operations that were taken, and the register's value after them.
struct Configuration {
  std::vector<uint64_t> taken;
  uint64_t value;

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

struct ConfigurationHash {
  size_t operator()(const Configuration& configuration) const {
    uint64_t hash = configuration.value * 0x9E3779B97F4A7C15ull;
    for (const uint64_t word : configuration.taken)
      hash = (hash ^ word) * 0x100000001b3ull + (hash >> 29);
    return static_cast<size_t>(hash);
  }
};

// A call or a return, in the order of time, in a doubly linked list.
struct Entry {
  size_t operation;
  bool is_call;
  size_t match;  // of a call: its return
  size_t previous;
  size_t next;
};

class RegisterCheck {
 public:
  RegisterCheck(const std::vector<RegisterOperation>& history, uint64_t initial)
      : history_(history), now_{std::vector<uint64_t>((history.size() + 63) / 64), initial} {
    link();
  }

  Linearizability run(uint64_t steps_max);

 private:
  struct Taken {
    size_t call;
    uint64_t value_before;
  };

  void link();
  bool apply(const RegisterOperation& operation, uint64_t& value) const;
  void lift(size_t call);
  void unlift(size_t call);
  void flip(size_t operation) { now_.taken[operation / 64] ^= uint64_t{1} << operation % 64; }

  const std::vector<RegisterOperation>& history_;
  std::vector<Entry> entries_;  // the first is the list's head
  Configuration now_;
  std::unordered_set<Configuration, ConfigurationHash> seen_;
  std::vector<Taken> taken_;
  size_t owed_ = 0;  // operations that have returned and are not taken
};

void RegisterCheck::link() {
  struct Point {
    Nanos at;
    bool is_call;
    size_t operation;
  };
  std::vector<Point> points;
  for (size_t i = 0; i < history_.size(); i++) {
    points.push_back({history_[i].invoked, true, i});
    points.push_back({history_[i].returned, false, i});
    if (history_[i].returned != kNeverReturned) owed_++;
  }
  // At one and the same time calls come first: what touches may overlap.
  std::ranges::sort(points, [](const Point& a, const Point& b) {
    if (a.at != b.at) return a.at < b.at;
    return a.is_call != b.is_call ? a.is_call : a.operation < b.operation;
  });
  entries_.resize(points.size() + 1);
  std::vector<size_t> calls(history_.size());
  for (size_t i = 0; i <= points.size(); i++) {
    entries_[i].previous = i - 1;
    entries_[i].next = i + 1;
    if (i == 0) continue;
    const Point& point = points[i - 1];
    entries_[i].operation = point.operation;
    entries_[i].is_call = point.is_call;
    if (point.is_call) {
      calls[point.operation] = i;
    } else {
      entries_[calls[point.operation]].match = i;
    }
  }
}

bool RegisterCheck::apply(const RegisterOperation& operation, uint64_t& value) const {
  switch (operation.kind) {
    case Kind::kRead:
      return value == operation.value;
    case Kind::kSwapFail:
      return value != operation.expected;
    case Kind::kSwap:
      if (value != operation.expected) return false;
      [[fallthrough]];
    case Kind::kWrite:
      value = operation.value;
      return true;
  }
  return false;
}

void RegisterCheck::lift(size_t call) {
  for (const size_t at : {call, entries_[call].match}) {
    const Entry& entry = entries_[at];
    entries_[entry.previous].next = entry.next;
    if (entry.next < entries_.size()) entries_[entry.next].previous = entry.previous;
  }
}

void RegisterCheck::unlift(size_t call) {
  for (const size_t at : {entries_[call].match, call}) {
    const Entry& entry = entries_[at];
    entries_[entry.previous].next = at;
    if (entry.next < entries_.size()) entries_[entry.next].previous = at;
  }
}

Linearizability RegisterCheck::run(uint64_t steps_max) {
  size_t at = entries_[0].next;
  for (uint64_t steps = 0; owed_ > 0; steps++) {
    if (steps == steps_max) return Linearizability::kUnknown;
    if (at < entries_.size() && entries_[at].is_call) {
      const size_t operation = entries_[at].operation;
      const uint64_t before = now_.value;
      uint64_t value = before;
      const bool fits = apply(history_[operation], value);
      if (fits) {
        flip(operation);
        now_.value = value;
        if (seen_.insert(now_).second) {
          taken_.push_back({at, before});
          lift(at);
          if (history_[operation].returned != kNeverReturned) owed_--;
          at = entries_[0].next;
          continue;
        }
        flip(operation);
        now_.value = before;
      }
      at = entries_[at].next;
      continue;
    }
    // Somebody returned who is not taken: what was taken last was wrong.
    if (taken_.empty()) return Linearizability::kNo;
    const Taken last = taken_.back();
    taken_.pop_back();
    const size_t operation = entries_[last.call].operation;
    flip(operation);
    now_.value = last.value_before;
    if (history_[operation].returned != kNeverReturned) owed_++;
    unlift(last.call);
    at = entries_[last.call].next;
  }
  return Linearizability::kYes;
}

// Without the writes that did not return and that nobody saw. What is possible without them is
// possible with them; and what is not is not with them either, unless somebody saw that a value was
// gone.
std::vector<RegisterOperation> without_unseen(std::vector<RegisterOperation> history) {
  std::unordered_set<uint64_t> seen;
  for (const RegisterOperation& operation : history) {
    if (operation.kind == Kind::kRead) seen.insert(operation.value);
    if (operation.kind == Kind::kSwap) seen.insert(operation.expected);
  }
  std::erase_if(history, [&](const RegisterOperation& operation) {
    return operation.returned == kNeverReturned && !seen.contains(operation.value);
  });
  return history;
}

}  // namespace

Linearizability check_register(std::vector<RegisterOperation> history, uint64_t initial,
                               uint64_t steps_max) {
  std::erase_if(history, [](const RegisterOperation& operation) {
    const bool reads = operation.kind == Kind::kRead || operation.kind == Kind::kSwapFail;
    return reads && operation.returned == kNeverReturned;
  });
  const std::vector<RegisterOperation> fewer = without_unseen(history);
  const Linearizability verdict = RegisterCheck(fewer, initial).run(steps_max);
  const bool saw_one_gone = std::ranges::any_of(history, [](const RegisterOperation& operation) {
    return operation.kind == Kind::kSwapFail;
  });
  if (verdict == Linearizability::kYes || !saw_one_gone) return verdict;
  return RegisterCheck(history, initial).run(steps_max);
}

std::vector<RegisterOperation> up_to_contradiction(std::vector<RegisterOperation> history,
                                                   uint64_t initial) {
  std::vector<Nanos> answers;
  for (const RegisterOperation& one : history)
    if (one.returned != kNeverReturned) answers.push_back(one.returned);
  std::ranges::sort(answers);
  std::ranges::sort(history, {}, &RegisterOperation::invoked);
  const auto known_at = [&](Nanos now) {
    std::vector<RegisterOperation> known;
    for (RegisterOperation one : history) {
      if (one.invoked > now) break;
      if (one.returned > now) one.returned = kNeverReturned;
      known.push_back(one);
    }
    return known;
  };
  // What a linearizable history began with is linearizable.
  const auto first = std::ranges::partition_point(answers, [&](Nanos now) {
    return check_register(known_at(now), initial) == Linearizability::kYes;
  });
  return first == answers.end() ? history : known_at(*first);
}

}  // namespace freshet::test
