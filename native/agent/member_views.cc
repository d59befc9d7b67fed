// The member's calls about its views.
#include <algorithm>

#include "native/agent/member.h"

namespace freshet {
namespace {

// Waits are known to within two heartbeats.
constexpr Nanos kLagBeats = 4;

// Whole and durable under its name, or not there.
Status replace_file(FileSystem& files, const std::string& folder, const std::string& name,
                    Bytes bytes) {
  const std::string path = folder + "/" + name;
  const std::string beside = path + ".new";
  std::unique_ptr<File> file;
  Status status = files.open(beside, FileSystem::Mode::kCreate, file);
  if (is_ok(status)) status = file->truncate(0);
  if (is_ok(status)) status = file->write_at(0, bytes);
  if (is_ok(status)) status = file->sync_data();
  file.reset();
  if (is_ok(status)) status = files.rename(beside, path);
  if (is_ok(status)) status = files.sync_folder(folder);
  return status;
}

}  // namespace

Status Member::begin_view(Bytes encoded, size_t ring_size, Token token) {
  View view;
  if (!decode_view(encoded, view)) return Status::kInvalidArgument;
  return call([view = std::move(view), ring_size, token](Agent& agent) {
    agent.answer(token, agent.begin_view(view, ring_size));
  });
}

Status Member::propose_view(Bytes encoded, Token token) {
  View view;
  if (!decode_view(encoded, view)) return Status::kInvalidArgument;
  return call([view = std::move(view), token](Agent& agent) {
    agent.answer(token, agent.views().propose(view));
  });
}

Status Member::accuse_member(NodeId node, Token token) {
  return call([node, token](Agent& agent) { agent.answer(token, agent.views().accuse(node)); });
}

Status Member::watch_lag(ShardId shard, Nanos patience) {
  const Nanos least = patience == 0 ? 0 : kLagBeats * config_.heartbeat;
  return call(
      [shard, patience = std::max(patience, least)](Agent& agent) {
        if (ShardHost* host = agent.find(shard)) host->set_lag_patience(patience);
      },
      false);
}

Status Member::view_filled(uint64_t vote, size_t ring_size) {
  return call([vote, ring_size](Agent& agent) { agent.views().filled(vote, ring_size); }, false);
}

Status Member::leave_view() {
  return call([](Agent& agent) { agent.views().leave(); }, false);
}

Status Member::caught_up(ShardId shard, Epoch epoch, Token token) {
  return call([shard, epoch, token](Agent& agent) {
    ShardHost* host = agent.find(shard);
    agent.answer(token, host == nullptr ? Status::kNotAMember : host->caught_up(epoch));
  });
}

// From the agent's thread. That a view was committed nobody waits for: who reads the record before
// takes the view for prepared, as after a crash.
void Member::write_view_record(std::vector<std::byte> record, uint64_t vote) {
  const auto shared = std::make_shared<std::vector<std::byte>>(std::move(record));
  const Status posted = jobs_->post([this, shared, vote] {
    const Status status = replace_file(*files_, config_.data_folder, kViewRecordName, *shared);
    if (vote == 0) return;
    mail([this, status, vote] {
      ViewHost& views = agent_->views();
      if (is_ok(status)) return views.recorded(vote);
      views.not_recorded(vote);
    });
  });
  if (is_ok(posted) || vote == 0) return;
  mail([this, vote] { agent_->views().not_recorded(vote); });
}

Status Member::renew(Token token) {
  incarnation_ = random_number();
  return call([incarnation = incarnation_, token](Agent& agent) {
    agent.renew(incarnation);
    agent.answer(token, Status::kOk);
  });
}

bool Member::holds_lease() const {
  return around_->boot_now() < shared_.lease_until.load(std::memory_order_acquire);
}

}  // namespace freshet
