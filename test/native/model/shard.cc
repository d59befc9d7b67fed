// Messages of the shard's epoch, delivery, and reads (core/README.md: "Order, version, time",
// "Leases, the gate, and reads").
#include <algorithm>

#include "test/native/model/model.h"

namespace freshet::model {
namespace {

Byte record_of(int epoch, int sender, int index) { return byte(epoch * 8 + sender * 4 + index); }

}  // namespace

int Model::senders(Byte epoch) const { return std::min(kSenders, count(view(epoch).shard)); }

// -1 for one that does not send.
int Model::sender_rank(Byte epoch, int node) const {
  if (!has(view(epoch).shard, node)) return -1;
  const int rank = count(both(view(epoch).shard, byte(bit(node) - 1)));
  return rank < senders(epoch) ? rank : -1;
}

// In an epoch that has not ended here, and past the wait after a restart.
bool Model::is_serving(int node) const {
  const Member& m = member(node);
  return own(node).epoch != 0 && m.trim_delivered != own(node).epoch && m.clock >= m.start_at;
}

// How many sequences from the first on `other` shows as received, as far as I see.
int Model::contiguous(int node, int other) const {
  const Row& row = seen(node, other);
  if (row.epoch != own(node).epoch) return 0;
  if (senders(row.epoch) == 1) return row.received[0];
  return row.received[0] > row.received[1] ? 2 * row.received[1] + 1 : 2 * row.received[0];
}

// The log length that every member of the epoch shows as synced.
int Model::persisted_everywhere(int node) const {
  int least = member(node).disk.synced;
  for (int other = 0; other < kNodes; other++) {
    if (has(view(own(node).epoch).shard, other))
      least = std::min<int>(least, seen(node, other).persisted);
  }
  return least;
}

bool Model::send(int node) {
  Row& row = own(node);
  if (!is_serving(node) || row.wedged == row.epoch || row.sent == kSentMax) return false;
  const int rank = sender_rank(row.epoch, node);
  if (rank < 0) return false;
  row.sent++;
  row.received[static_cast<size_t>(rank)]++;
  publish(node);
  return true;
}

bool Model::receive(int node, int from) {
  Row& row = own(node);
  const Row& theirs = seen(node, from);
  const bool is_wedged = row.wedged == row.epoch && on(Rule::kWedgedReceivesNothing);
  if (from == node || !is_serving(node) || is_wedged || theirs.epoch != row.epoch) return false;
  const int rank = sender_rank(row.epoch, from);
  if (rank < 0) return false;
  Byte& received = row.received[static_cast<size_t>(rank)];
  if (theirs.sent <= received) return false;
  received++;
  publish(node);
  return true;
}

bool Model::deliver(int node) {
  Member& m = member(node);
  if (!is_serving(node) || m.length == kLogMax) return false;
  for (int other = 0; other < kNodes; other++) {
    const bool counts = other == node || on(Rule::kDeliverWhatAllReceived);
    const bool is_in = has(view(own(node).epoch).shard, other);
    if (counts && is_in && contiguous(node, other) <= m.delivered) return false;
  }
  const int of = senders(own(node).epoch);
  append(node, m.delivered % of, m.delivered / of);
  m.delivered++;
  return true;
}

// Has it the newest beginning of the history, or what follows that?
bool Model::is_current(int node) const {
  return is_ancestor(state_.last_beginning, own(node).installed);
}

void Model::append(int node, int sender, int index) {
  Member& m = member(node);
  if (m.length == kLogMax) return violate("the model's log is too short");
  const Byte record = record_of(own(node).epoch, sender, index);
  m.log[m.length++] = record;
  if (!is_current(node)) return;
  if (m.length > state_.history_length) {
    state_.history[state_.history_length++] = record;
  } else if (state_.history[m.length - 1u] != record) {
    violate("two records for version " + std::to_string(m.length) + ", the second at member " +
            std::to_string(node));
  }
  if (state_.persistent == 0) note_shown(node, m.length);
}

// An epoch begins with what everyone's history is.
void Model::check_begins_alike(int node) {
  const Member& m = member(node);
  if (own(node).epoch == 0 || !is_current(node)) return;
  View& epoch = view(own(node).epoch);
  if (epoch.begun == 0) epoch.base_length = m.length;
  epoch.begun = 1;
  const auto end = m.log.begin() + m.length;
  const bool is_alike = m.length == epoch.base_length && m.length <= state_.history_length &&
                        std::equal(m.log.begin(), end, state_.history.begin());
  if (!is_alike)
    violate("member " + std::to_string(node) + " begins an epoch with a history of its own");
}

bool Model::persist(int node) {
  Member& m = member(node);
  if (state_.persistent == 0 || own(node).epoch == 0 || m.disk.synced == m.length) return false;
  own(node).persisted = m.disk.synced = m.length;
  publish(node);
  return true;
}

// Of a volatile shard what was delivered is taken for shown; here others may have begun it anew.
bool Model::show(int node) {
  if (!is_serving(node)) return false;
  if (state_.persistent == 0) {
    const bool may_answer = holds_lease(node) || !on(Rule::kAnswerNeedsLease);
    if (is_current(node) || !may_answer || member(node).delivered == 0) return false;
    violate("member " + std::to_string(node) + " answers for what has begun anew without it");
    return true;
  }
  const int length =
      on(Rule::kPersistedShownOnly) ? persisted_everywhere(node) : member(node).length;
  if (length <= state_.shown) return false;
  note_shown(node, length);
  return true;
}

void Model::note_shown(int node, int length) {
  if (length > member(node).length) return violate("shown before it was delivered");
  if (state_.persistent == 0 && !is_current(node)) return;
  state_.shown = std::max(state_.shown, byte(length));
}

bool Model::may_read(int node) const {
  const Member& m = member(node);
  const Row& row = own(node);
  if (row.epoch == 0 || m.clock < m.start_at) return false;
  const bool is_wedged = row.wedged == row.epoch && m.trim_delivered != row.epoch;
  if (is_wedged && on(Rule::kNoReadsWhileWedged)) return false;
  const bool leaves = is_pending(node, row.prepared) && !has(view(row.prepared).shard, node);
  return !(leaves && on(Rule::kLeaverStopsAtPrepare));
}

bool Model::start_read(int node) {
  Member& m = member(node);
  if (m.reading != 0 || !may_read(node)) return false;
  const bool has_ended = m.trim_delivered == own(node).epoch;
  m.reading = 1;
  m.read_epoch = own(node).epoch;
  m.read_need = has_ended ? m.length : byte(m.base + contiguous(node, node));
  m.read_floor = state_.shown;
  m.read_since = state_.shown != 0 ? state_.last_beginning : Byte{0};
  return true;
}

// The lease is checked last: a pause after it is harmless. One that crosses an epoch starts again.
bool Model::finish_read(int node) {
  Member& m = member(node);
  if (m.reading == 0) return false;
  if (m.read_epoch != own(node).epoch) {
    m.reading = 0;
    return true;
  }
  const bool is_durable = state_.persistent != 0 && on(Rule::kPersistedShownOnly);
  const int value = is_durable ? std::min<int>(m.length, persisted_everywhere(node)) : m.length;
  if (value < m.read_need && on(Rule::kReadWaitsForReceived)) return false;
  if (!may_read(node) || !holds_lease(node)) return false;
  m.reading = 0;
  if (value < m.read_floor)
    violate("a read at member " + std::to_string(node) + " gave version " + std::to_string(value) +
            " after " + std::to_string(m.read_floor) + " had been shown");
  if (state_.persistent == 0 && !is_ancestor(m.read_since, own(node).installed))
    violate("a read at member " + std::to_string(node) + " gave what others began anew before");
  note_shown(node, value);
  return true;
}

}  // namespace freshet::model
