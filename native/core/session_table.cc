#include "native/core/session_table.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "native/core/check.h"

namespace freshet {
namespace {

// Ids are chosen by clients; this spreads those that are not random (SplitMix64's finalizer).
uint64_t spread(uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9;
  x ^= x >> 27;
  x *= 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace

struct SessionTable::Session {
  uint64_t id = 0;
  uint64_t floor = 1;  // requests below are answered and forgotten
  uint32_t newer = kNone;
  uint32_t older = kNone;
  size_t first = 0;                    // answers before it are forgotten
  std::vector<SessionAnswer> answers;  // ascending by request

  size_t kept() const { return answers.size() - first; }
  void forget_below(uint64_t request) {
    while (first < answers.size() && answers[first].request < request) first++;
    if (first * 2 > answers.size() || first == answers.size()) {
      answers.erase(answers.begin(), answers.begin() + static_cast<ptrdiff_t>(first));
      first = 0;
    }
  }
};

// Open addressing over ids, at most half full, with backward-shift deletion (Knuth, TAOCP 3, 6.4,
// R). Most shards have few sessions: it begins small.
class SessionTable::IdMap {
 public:
  uint32_t find(uint64_t id) const {
    for (size_t i = home(id); cells_[i].value != kNone; i = next(i)) {
      if (cells_[i].id == id) return cells_[i].value;
    }
    return kNone;
  }
  void insert(uint64_t id, uint32_t value) {
    if ((count_ + 1) * 2 > cells_.size()) grow();
    count_++;
    place({id, value});
  }
  void erase(uint64_t id) {
    size_t hole = home(id);
    while (cells_[hole].value != kNone && cells_[hole].id != id) hole = next(hole);
    if (cells_[hole].value == kNone) return;
    count_--;
    for (size_t i = next(hole); cells_[i].value != kNone; i = next(i)) {
      const size_t distance = (i - home(cells_[i].id)) & (cells_.size() - 1);
      if (distance < ((i - hole) & (cells_.size() - 1))) continue;
      cells_[hole] = cells_[i];
      hole = i;
    }
    cells_[hole] = {};
  }

 private:
  struct Cell {
    uint64_t id = 0;
    uint32_t value = kNone;
  };
  void place(const Cell& cell) {
    size_t i = home(cell.id);
    while (cells_[i].value != kNone) i = next(i);
    cells_[i] = cell;
  }
  void grow() {
    const std::vector<Cell> before = std::exchange(cells_, std::vector<Cell>(cells_.size() * 4));
    for (const Cell& cell : before)
      if (cell.value != kNone) place(cell);
  }
  size_t home(uint64_t id) const { return spread(id) & (cells_.size() - 1); }
  size_t next(size_t i) const { return (i + 1) & (cells_.size() - 1); }
  std::vector<Cell> cells_ = std::vector<Cell>(64);
  size_t count_ = 0;
};

SessionTable::SessionTable(size_t sessions_max, size_t evicted_max)
    : sessions_max_(sessions_max),
      evicted_max_(evicted_max),
      ids_(std::make_unique<IdMap>()),
      evicted_(std::make_unique<IdMap>()) {
  FRESHET_CHECK(sessions_max > 0 && evicted_max > 0);
}

SessionTable::~SessionTable() = default;

SessionTable::Seen SessionTable::look_up(const SessionStamp& stamp, SessionAnswer& answer) const {
  const uint32_t index = ids_->find(stamp.session);
  if (index == kNone)
    return evicted_->find(stamp.session) == kNone && stamp.request > 0 ? Seen::kNew
                                                                       : Seen::kExpired;
  const Session& session = sessions_[index];
  if (stamp.request < session.floor) return Seen::kExpired;
  const auto begin = session.answers.begin() + static_cast<ptrdiff_t>(session.first);
  const auto found = std::lower_bound(
      begin, session.answers.end(), stamp.request,
      [](const SessionAnswer& kept, uint64_t request) { return kept.request < request; });
  if (found == session.answers.end() || found->request != stamp.request) return Seen::kNew;
  answer = *found;
  return Seen::kRepeat;
}

void SessionTable::record(const SessionStamp& stamp, const SessionAnswer& answer) {
  uint32_t index = ids_->find(stamp.session);
  if (index == kNone) {
    index = make_session(stamp.session);
  } else {
    unlink(index);
  }
  link_newest(index);

  Session& session = sessions_[index];
  // A client cannot have the answer to the request that it is making.
  const uint64_t floor = std::min(stamp.lowest_unanswered, stamp.request);
  if (floor > session.floor) {
    session.floor = floor;
    session.forget_below(floor);
  }
  const auto place = std::lower_bound(
      session.answers.begin() + static_cast<ptrdiff_t>(session.first), session.answers.end(),
      stamp.request,
      [](const SessionAnswer& kept, uint64_t request) { return kept.request < request; });
  FRESHET_CHECK(place == session.answers.end() || place->request != stamp.request);
  const auto placed = session.answers.insert(place, answer);
  placed->request = stamp.request;
  if (session.kept() > kSessionWindow) {
    session.floor = session.answers[session.first].request + 1;
    session.forget_below(session.floor);
  }
}

uint32_t SessionTable::make_session(uint64_t id) {
  uint32_t index;
  if (count_ < sessions_max_) {
    index = static_cast<uint32_t>(sessions_.size());
    sessions_.emplace_back();
    count_++;
  } else {
    index = oldest_;
    unlink(index);
    const uint64_t evicted = sessions_[index].id;
    ids_->erase(evicted);
    note_evicted(evicted);
  }
  Session& session = sessions_[index];
  session.id = id;
  session.floor = 1;
  session.first = 0;
  session.answers.clear();
  ids_->insert(id, index);
  return index;
}

void SessionTable::note_evicted(uint64_t id) {
  if (evicted_ring_.size() < evicted_max_) {
    evicted_ring_.push_back(id);
  } else {
    uint64_t& place = evicted_ring_[evicted_count_ % evicted_max_];
    evicted_->erase(place);
    place = id;
  }
  evicted_count_++;
  evicted_->insert(id, 0);
}

uint64_t SessionTable::evicted(size_t nth) const {
  return evicted_ring_[(evicted_count_ - evicted_ring_.size() + nth) % evicted_max_];
}

void SessionTable::unlink(uint32_t index) {
  const Session& session = sessions_[index];
  (session.newer == kNone ? newest_ : sessions_[session.newer].older) = session.older;
  (session.older == kNone ? oldest_ : sessions_[session.older].newer) = session.newer;
}

void SessionTable::link_newest(uint32_t index) {
  Session& session = sessions_[index];
  session.newer = kNone;
  session.older = newest_;
  (newest_ == kNone ? oldest_ : sessions_[newest_].newer) = index;
  newest_ = index;
}

uint64_t SessionTable::digest() const {
  uint64_t sum = count_;
  const auto add = [&sum](uint64_t word) { sum = spread(sum ^ word) + 0x9E3779B97F4A7C15; };
  for (uint32_t i = newest_; i != kNone; i = sessions_[i].older) {
    const Session& session = sessions_[i];
    add(session.id);
    add(session.floor);
    for (size_t n = session.first; n < session.answers.size(); n++) {
      const SessionAnswer& answer = session.answers[n];
      add(answer.request);
      add(answer.version);
      add(static_cast<uint64_t>(answer.time));
      add((uint64_t{answer.epoch} << 8) | static_cast<uint64_t>(answer.status));
    }
  }
  for (size_t n = 0; n < evicted_ring_.size(); n++) add(evicted(n));
  return sum;
}

// u64 words: entries before it, count of sessions, then each from the one used longest ago on (id,
// floor, count of answers, the answers), then count of evicted ids and these, in the order of their
// eviction.
std::vector<std::byte> SessionTable::encode(size_t& entries, size_t size_max) const {
  FRESHET_CHECK(entries <= this->entries() && size_max >= kPieceMin);
  std::vector<uint64_t> words{entries, 0};
  size_t room = (size_max - kPieceMin) / sizeof(uint64_t);
  uint32_t index = oldest_;
  for (size_t n = 0; n < entries && index != kNone; n++) index = sessions_[index].newer;
  for (; index != kNone; index = sessions_[index].newer) {
    const Session& session = sessions_[index];
    const size_t size = kSessionWords + kAnswerWords * session.kept();
    if (size > room) break;
    room -= size;
    words.insert(words.end(), {session.id, session.floor, session.kept()});
    for (size_t n = session.first; n < session.answers.size(); n++) {
      const SessionAnswer& answer = session.answers[n];
      words.insert(words.end(),
                   {answer.request, answer.version, static_cast<uint64_t>(answer.time),
                    uint64_t{answer.epoch} << 8 | static_cast<uint64_t>(answer.status)});
    }
    words[1]++;
  }
  entries += words[1];
  const size_t ids = index == kNone ? std::min(this->entries() - entries, room) : 0;
  words.push_back(ids);
  for (size_t n = 0; n < ids; n++, entries++) words.push_back(evicted(entries - count_));
  const Bytes bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

bool SessionTable::begins(Bytes piece) {
  uint64_t before = UINT64_MAX;
  if (piece.size() >= sizeof before) std::memcpy(&before, piece.data(), sizeof before);
  return before == 0;
}

bool SessionTable::add(Bytes piece) {
  std::vector<uint64_t> words(piece.size() / sizeof(uint64_t));
  if (piece.size() % sizeof(uint64_t) != 0 || piece.size() < kPieceMin) return false;
  std::memcpy(words.data(), piece.data(), piece.size());
  if (words[0] != entries()) return false;
  size_t at = 2;
  const auto has = [&](size_t more) { return words.size() - at >= more; };
  for (uint64_t left = words[1]; left > 0; left--) {
    if (count_ == sessions_max_ || !evicted_ring_.empty() || !has(kSessionWords)) return false;
    const uint32_t index = make_session(words[at]);
    link_newest(index);
    Session& session = sessions_[index];
    session.floor = words[at + 1];
    const uint64_t answers = words[at + 2];
    at += kSessionWords;
    if (answers > kSessionWindow || !has(kAnswerWords * answers)) return false;
    session.answers.reserve(answers);
    for (uint64_t n = 0; n < answers; n++, at += kAnswerWords) {
      session.answers.push_back({.request = words[at],
                                 .version = words[at + 1],
                                 .time = static_cast<Micros>(words[at + 2]),
                                 .epoch = static_cast<Epoch>(words[at + 3] >> 8),
                                 .status = static_cast<Status>(words[at + 3] & 0xFF)});
    }
  }
  if (!has(1)) return false;
  const uint64_t ids = words[at++];
  if (ids > evicted_max_ - evicted_ring_.size() || words.size() - at != ids) return false;
  for (; at < words.size(); at++) note_evicted(words[at]);
  return true;
}

void SessionTable::take(SessionTable&& other) {
  sessions_ = std::move(other.sessions_);
  ids_ = std::move(other.ids_);
  evicted_ = std::move(other.evicted_);
  evicted_ring_ = std::move(other.evicted_ring_);
  evicted_count_ = other.evicted_count_;
  count_ = other.count_;
  newest_ = other.newest_;
  oldest_ = other.oldest_;
}

}  // namespace freshet
