#include "native/agent/member.h"

#include <cstring>

namespace freshet {
namespace {

// Logs name their cluster by the first half of its id.
uint64_t short_cluster(const ClusterId& cluster) {
  uint64_t result;
  std::memcpy(&result, cluster.data(), sizeof result);
  return result;
}

constexpr Nanos kSpinMax = 1'000'000;
constexpr Nanos kLeaseBeats = 8;  // at least: some may be late or lost

bool is_possible(const MemberConfig& config) {
  return config.node != 0 && config.spin >= 0 && config.spin <= kSpinMax && config.heartbeat > 0 &&
         config.silence >= 2 * config.heartbeat;
}

}  // namespace

uint64_t Member::random_number() {
  uint64_t number;
  around_->fill_random(std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

Member::Member(const MemberConfig& config, std::shared_ptr<Surroundings> around)
    : config_(config), around_(std::move(around)) {}
Member::~Member() { close(); }

Status Member::open(const MemberConfig& config, std::function<void()> wake_loop,
                    std::shared_ptr<Member>& out, std::shared_ptr<Surroundings> around) {
  if (!is_possible(config)) return Status::kInvalidArgument;
  std::shared_ptr<Member> member(new Member(config, std::move(around)));
  const Status status = member->start(std::move(wake_loop));
  if (is_ok(status)) out = std::move(member);
  return status;
}

Status Member::start(std::function<void()> wake_loop) {
  shared_.wake_loop = std::move(wake_loop);
  incarnation_ = random_number();
  Status status = around_->open_transport(config_, incarnation_, transport_, port_);
  if (!is_ok(status)) return status;
  if (!config_.data_folder.empty()) status = open_log();
  if (!is_ok(status)) return status;

  AgentConfig agent;
  agent.node = config_.node;
  agent.incarnation = incarnation_;
  agent.spin = config_.spin;
  agent.heartbeat = config_.heartbeat;
  agent.silence = config_.silence;
  agent.congested = config_.congested;
  agent.now = [this] { return around_->boot_now(); };
  agent.wall = [this] { return around_->wall_now(); };
  agent.lease = std::max(agent.lease, kLeaseBeats * config_.heartbeat);
  if (!config_.data_folder.empty())
    agent.write_record = [this](std::vector<std::byte> record, uint64_t vote) {
      write_view_record(std::move(record), vote);
    };
  agent_ = std::make_unique<Agent>(std::move(agent), shared_, *transport_, log_.get());
  if (config_.door) status = open_door();
  if (!is_ok(status)) return status;
  const bool threads = around_->has_threads();
  jobs_ = threads ? std::make_unique<JobThread>()
                  : std::make_unique<JobThread>([this] { around_->on_job(); });
  query_ = std::make_unique<QueryRunner>(files_.get(), config_.data_folder,
                                         [this] { return jobs_->is_closing(); });
  if (threads) thread_ = std::thread([this] { agent_->run(stop_); });
  return Status::kOk;
}

Status Member::open_door() {
  DoorConfig config;
  config.cluster = config_.cluster;
  config.secret = config_.secret;
  config.node = config_.node;
  config.host = config_.door->host;
  config.port = config_.door->port;
  config.wall = [this] { return around_->wall_now(); };
  config.fill_random = [this](MutableBytes out) { around_->fill_random(out); };
  std::unique_ptr<NativeDoor> door;
  const Status status = NativeDoor::open(std::move(config), door);
  if (!is_ok(status)) return status;
  door_port_ = door->port();
  return agent_->open_door(std::move(door)) ? Status::kOk : Status::kInvalidArgument;
}

Status Member::name_door_pool(PoolId pool, std::string name) {
  if (is_closed()) return Status::kClosed;
  if (pool == 0 || pool >= kPoolsMax) return Status::kInvalidArgument;
  mail([this, pool, name = std::move(name)]() mutable {
    if (NativeDoor* door = agent_->door()) door->name_pool(pool, std::move(name));
  });
  return Status::kOk;
}

Status Member::answer_trigger(uint64_t call, Status answer, Micros time) {
  if (is_closed()) return Status::kClosed;
  mail([this, call, answer, time] {
    if (NativeDoor* door = agent_->door()) door->answer_trigger(call, answer, time);
  });
  return Status::kOk;
}

uint64_t Member::folder_cluster() const { return short_cluster(config_.cluster); }

Status Member::open_log() {
  files_ = around_->files();
  const uint64_t cluster = folder_cluster();
  Status status = DataFolder::open(*files_, config_.data_folder, cluster, random_number(), folder_);
  if (!is_ok(status)) return status;
  LogWriterConfig log;
  log.data = config_.data_folder;
  log.cluster = cluster;
  log.disk = folder_->disk();
  log.threads = around_->has_threads();
  log_ = std::make_unique<LogWriter>(*files_, log, [this] { wake_agent(); });
  return log_->start();
}

void Member::close() {
  if (closed_.exchange(true)) return;
  // Readers of other threads look at closed_ after they have counted themselves.
  while (readers_.load() > 0) std::this_thread::yield();
  if (jobs_ != nullptr) jobs_->close();
  if (thread_.joinable()) {
    stop_.store(true);
    transport_->wake_self();
    thread_.join();
  }
  if (log_ != nullptr) log_->stop();
  // Calls that nobody took own their closures.
  uint32_t type;
  for (MutableBytes body; shared_.commands.front(type, body); shared_.commands.pop()) {
    if (static_cast<CommandType>(type) != CommandType::kTask) continue;
    AgentCall* call;
    std::memcpy(&call, body.data(), sizeof call);
    delete call;
  }
  query_.reset();
  // Peers may write what the agent has until then.
  if (transport_ != nullptr) transport_->stop();
  agent_.reset();
  transport_.reset();
  folder_.reset();
}

bool Member::enter_read() {
  readers_.fetch_add(1);
  if (!closed_.load()) return true;
  leave_read();
  return false;
}

void Member::wake_agent() {
  if (shared_.asleep.load(std::memory_order_seq_cst) && shared_.asleep.exchange(false))
    transport_->wake_self();
}

void Member::mail(AgentTask task) {
  shared_.mailbox.put(std::move(task));
  wake_agent();
}

template <typename Command>
Status Member::put_command(CommandType type, const Command& command) {
  if (is_closed()) return Status::kClosed;
  std::byte* body = shared_.commands.reserve(static_cast<uint32_t>(type), sizeof command);
  if (body == nullptr) return Status::kOverloaded;
  std::memcpy(body, &command, sizeof command);
  shared_.commands.commit();
  wake_agent();
  return Status::kOk;
}

Status Member::call(AgentCall call, bool answers) {
  auto owned = std::make_unique<AgentCall>(std::move(call));
  const Status status = put_command(CommandType::kTask, owned.get());
  if (!is_ok(status)) return status;
  owned.release();
  if (answers) calls_++;
  return Status::kOk;
}

int Member::step() {
  shared_.asleep.store(false, std::memory_order_relaxed);
  const int work = agent_->step();
  shared_.asleep.store(true, std::memory_order_relaxed);
  return work;
}

Nanos Member::due_at() const { return agent_->due_at(); }

bool Member::run_job() { return jobs_->run_next(); }

bool Member::has_log_work() const { return log_ != nullptr && log_->has_work(); }

int Member::write_logs() { return log_ == nullptr ? 0 : log_->do_work(); }

size_t Member::drain(double* rows, size_t count_max) {
  const size_t count = take_rows(rows, count_max);
  turn_loop();
  return count;
}

size_t Member::take_rows(double* rows, size_t count_max) {
  const size_t count = shared_.rows.drain(rows, count_max);
  for (size_t i = 0; i < count; i++) {
    const auto kind = static_cast<RowKind>(rows[i * kRowWidth]);
    if (kind == RowKind::kCompletion) {
      outstanding_--;
    } else if (kind == RowKind::kResult) {
      calls_--;
    }
  }
  if (count > 0 && shared_.has_rows()) wake_agent();
  return count;
}

std::optional<MemberMessage> Member::take_message() {
  std::optional<MemberMessage> message = shared_.inbox.take();
  if (message && shared_.has_inbox()) wake_agent();
  return message;
}

Status Member::submit(ShardId shard, const Change& change, Ack ack, Token token) {
  if (is_closed()) return Status::kClosed;
  if (find_shard(shard) == nullptr) return Status::kNotAMember;
  if (change.key.size() > kKeySizeMax) return Status::kKeyTooLong;
  if (change.value.size() > kValueSizeMax) return Status::kValueTooLarge;
  if (change.meta.size() > kMetaSizeMax) return Status::kInvalidArgument;
  if (ack != Ack::kNone && outstanding_ >= kOutstandingMax) return Status::kOverloaded;
  SubmitCommand command;
  command.token = token;
  command.condition = change.condition;
  command.session = change.session;
  command.event_time = change.event_time;
  command.borrows = change.value.size() > kBorrowThreshold;
  command.borrowed = command.borrows ? change.value.data() : nullptr;
  command.shard = shard;
  command.pool = change.pool;
  command.value_length = static_cast<uint32_t>(change.value.size());
  command.key_length = static_cast<uint16_t>(change.key.size());
  command.meta_length = static_cast<uint16_t>(change.meta.size());
  command.kind = change.kind;
  command.ack = ack;
  std::byte* body = shared_.commands.reserve(static_cast<uint32_t>(CommandType::kSubmit),
                                             sizeof command + command.tail_size());
  if (body == nullptr) return Status::kOverloaded;
  std::memcpy(body, &command, sizeof command);
  body += sizeof command;
  const auto put = [&body](Bytes bytes) {
    if (!bytes.empty()) std::memcpy(body, bytes.data(), bytes.size());
    body += bytes.size();
  };
  put(change.key);
  put(change.meta);
  if (!command.borrows) put(change.value);
  shared_.commands.commit();
  count_loop_copied(command.tail_size());
  if (ack != Ack::kNone) outstanding_++;
  wake_agent();
  return Status::kOk;
}

Status Member::wait_current(ShardId shard, bool persisted, Token token) {
  if (find_shard(shard) == nullptr) return is_closed() ? Status::kClosed : Status::kNotAMember;
  if (outstanding_ >= kOutstandingMax) return Status::kOverloaded;
  const Status status =
      put_command(CommandType::kWaitCurrent, WaitCommand{token, shard, persisted});
  if (is_ok(status)) outstanding_++;
  return status;
}

Status Member::set_dispatched(ShardId shard, Version version) {
  if (find_shard(shard) == nullptr) return is_closed() ? Status::kClosed : Status::kNotAMember;
  return put_command(CommandType::kSetDispatched, DispatchedCommand{version, shard});
}

}  // namespace freshet
