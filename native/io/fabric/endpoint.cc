#include "native/io/fabric/endpoint.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "native/core/check.h"
#include "native/core/work_meter.h"

namespace freshet::fabric {
namespace {

constexpr uint64_t kLocalAccess = FI_SEND | FI_RECV | FI_WRITE;
constexpr size_t kBatch = 16;  // completions read at once

// A write that has to be cut is cut between cells.
size_t cut(size_t size, size_t size_max, uint64_t address) {
  if (size <= size_max) return size;
  return static_cast<size_t>(((address + size_max) & ~uint64_t{63}) - address);
}

}  // namespace

Endpoint::~Endpoint() { shut(); }

Status Endpoint::open(const Provider& provider, std::unique_ptr<Endpoint>& out) {
  std::unique_ptr<Endpoint> endpoint(new Endpoint(provider));
  const Status status = endpoint->start();
  if (is_ok(status)) out = std::move(endpoint);
  return status;
}

Status Endpoint::start() {
  fi_info& info = provider_.info();
  const bool connected = provider_.traits().type == FI_EP_MSG;
  const bool bounces = provider_.traits().direct && provider_.needs_local_keys();
  const size_t size = (kReceives + kSends) * kMessageSize + (bounces ? kBounceSize : 0);
  memory_ = std::make_unique_for_overwrite<std::byte[]>(size);
  inject_max_ = info.tx_attr->inject_size;
  // Where the other side copies, larger ones than this would take several looks of it.
  if (provider_.traits().direct && !bounces) message_max_ = std::min(kMessageSize, inject_max_);

  fid_domain* domain = nullptr;
  if (fi_domain(&provider_.fabric(), &info, &domain, nullptr) != 0) return Status::kNoFabric;
  domain_.reset(domain);
  if (provider_.needs_local_keys()) {
    fid_mr* local = nullptr;
    if (fi_mr_reg(domain, memory_.get(), size, kLocalAccess, 0, 0, 0, &local, nullptr) != 0)
      return Status::kMemlockTooLow;
    local_.reset(local);
  }
  fi_cq_attr attributes = {};
  attributes.size = kReceives + kSends + kWrites;
  attributes.format = FI_CQ_FORMAT_MSG;
  attributes.wait_obj = provider_.traits().has_event ? FI_WAIT_FD : FI_WAIT_NONE;
  fid_cq* completions = nullptr;
  if (fi_cq_open(domain, &attributes, &completions, nullptr) != 0) return Status::kNoFabric;
  completions_.reset(completions);
  if (provider_.traits().has_event && fi_control(&completions->fid, FI_GETWAIT, &fd_) != 0)
    return Status::kNoFabric;
  if (connected) return Status::kOk;

  fi_av_attr table = {};
  table.type = FI_AV_TABLE;
  table.count = 1;
  fid_av* addresses = nullptr;
  if (fi_av_open(domain, &table, &addresses, nullptr) != 0) return Status::kNoFabric;
  addresses_.reset(addresses);
  const Status status = make(info);
  if (!is_ok(status)) return status;
  name_length_ = sizeof name_;
  return fi_getname(&endpoint_->fid, name_, &name_length_) == 0 ? Status::kOk : Status::kNoFabric;
}

Status Endpoint::make(fi_info& info) {
  fid_ep* endpoint = nullptr;
  if (fi_endpoint(domain_.get(), &info, &endpoint, nullptr) != 0) return Status::kNoFabric;
  endpoint_.reset(endpoint);
  fid* const other = addresses_ != nullptr ? &addresses_->fid : &provider_.events()->fid;
  if (fi_ep_bind(endpoint, &completions_->fid, FI_TRANSMIT | FI_RECV) != 0 ||
      fi_ep_bind(endpoint, other, 0) != 0 || fi_enable(endpoint) != 0)
    return Status::kNoFabric;
  for (size_t i = 0; i < kReceives; i++)
    if (!post_receive(i)) return Status::kNoFabric;
  return Status::kOk;
}

Status Endpoint::connect(Bytes name, Bytes proof) {
  if (addresses_ != nullptr) {
    const bool known = fi_av_insert(addresses_.get(), name.data(), 1, &peer_, 0, nullptr) == 1;
    return known ? Status::kOk : Status::kPeerUnreachable;
  }
  Info way;
  Status status = provider_.resolve(name, way);
  if (!is_ok(status)) return status;
  status = make(*way);
  if (!is_ok(status)) return status;
  const int result = fi_connect(endpoint_.get(), way->dest_addr, proof.data(), proof.size());
  return result == 0 ? Status::kOk : Status::kPeerUnreachable;
}

Status Endpoint::accept(fi_info& request) {
  const Status status = make(request);
  if (!is_ok(status)) return status;
  return fi_accept(endpoint_.get(), nullptr, 0) == 0 ? Status::kOk : Status::kPeerUnreachable;
}

void Endpoint::hide() {
  if (name_length_ == 0) return;
  // Of shm: the name of a shared memory object behind a prefix.
  const std::string name(reinterpret_cast<const char*>(name_), name_length_);
  const size_t prefix = name.find("://");
  const std::string object = '/' + name.substr(prefix == std::string::npos ? 0 : prefix + 3);
  (void)shm_unlink(object.c_str());
}

void Endpoint::shut() { endpoint_.reset(); }

Status Endpoint::add_region(MutableBytes memory, uint64_t key, Registered& out) {
  fid_mr* registration = nullptr;
  if (fi_mr_reg(domain_.get(), memory.data(), memory.size(), FI_REMOTE_WRITE, 0, key, 0,
                &registration, nullptr) != 0)
    return Status::kMemlockTooLow;
  out.registration.reset(registration);
  out.key = fi_mr_key(registration);
  const bool absolute = (provider_.info().domain_attr->mr_mode & FI_MR_VIRT_ADDR) != 0;
  out.address = absolute ? reinterpret_cast<uintptr_t>(memory.data()) : 0;
  return Status::kOk;
}

bool Endpoint::post_receive(size_t index) {
  Operation& receive = receives_[index];
  receive.kind = Kind::kReceive;
  return fi_recv(endpoint_.get(), receive_buffer(index), kMessageSize, key_of_memory(), peer_,
                 &receive.context) == 0;
}

bool Endpoint::bounce_room(size_t size, uint64_t& begin) const {
  begin = bounce_end_;
  const size_t to_end = kBounceSize - begin % kBounceSize;
  if (size > to_end) begin += to_end;
  return writes_end_ - writes_begin_ < kWrites && begin + size - bounce_begin_ <= kBounceSize;
}

namespace {

Endpoint::Sent outcome(ssize_t result) {
  if (result == 0) return Endpoint::Sent::kYes;
  return result == -FI_EAGAIN ? Endpoint::Sent::kFull : Endpoint::Sent::kBroken;
}

}  // namespace

Endpoint::Sent Endpoint::write(Bytes bytes, uint64_t address, uint64_t key, size_t& taken) {
  const WorkScope scope(Work::kSystem);
  const bool bounces = provider_.needs_local_keys();
  taken = cut(bytes.size(), bounces ? kWriteMax : inject_max_, address);
  if (taken <= inject_max_)
    return outcome(fi_inject_write(endpoint_.get(), bytes.data(), taken, peer_, address, key));
  uint64_t begin;
  if (!bounce_room(taken, begin)) return Sent::kFull;
  std::byte* const copy = bounce_buffer() + begin % kBounceSize;
  copy_metered(copy, bytes.data(), taken);
  Operation& write = writes_[writes_end_ % kWrites];
  write.kind = Kind::kWrite;
  const Sent sent = outcome(
      fi_write(endpoint_.get(), copy, taken, key_of_memory(), peer_, address, key, &write.context));
  if (sent != Sent::kYes) return sent;
  write.busy = true;
  write.size = static_cast<uint32_t>(taken);
  bounce_end_ = write.end = begin + taken;
  writes_end_++;
  under_way_ += taken;
  return sent;
}

MutableBytes Endpoint::message() {
  for (message_ = 0; message_ < kSends; message_++)
    if (!messages_[message_].busy) return {message_buffer(message_), message_max_};
  return {};
}

Endpoint::Sent Endpoint::send(size_t size) {
  FRESHET_CHECK_VALUES(message_ < kSends && size <= message_max_, message_, size);
  const WorkScope scope(Work::kSystem);
  const std::byte* const bytes = message_buffer(message_);
  if (size <= inject_max_) return outcome(fi_inject(endpoint_.get(), bytes, size, peer_));
  Operation& message = messages_[message_];
  message.kind = Kind::kMessage;
  const Sent sent =
      outcome(fi_send(endpoint_.get(), bytes, size, key_of_memory(), peer_, &message.context));
  if (sent != Sent::kYes) return sent;
  message.busy = true;
  message.size = static_cast<uint32_t>(size);
  under_way_ += size;
  return sent;
}

bool Endpoint::progress(MessageSink& sink) {
  for (size_t taken = 0; taken < kCompletionsPerPoll;) {
    fi_cq_msg_entry entries[kBatch];
    const ssize_t count = [&] {
      const WorkScope scope(Work::kSystem);
      return fi_cq_read(completions_.get(), entries, kBatch);
    }();
    if (count == -FI_EAGAIN || count == 0) return true;
    if (count < 0) {
      fi_cq_err_entry error = {};
      if (count == -FI_EAVAIL) (void)fi_cq_readerr(completions_.get(), &error, 0);
      return false;
    }
    for (ssize_t i = 0; i < count; i++)
      if (!complete(entries[i], sink)) return false;
    taken += static_cast<size_t>(count);
  }
  return true;
}

bool Endpoint::complete(const fi_cq_msg_entry& entry, MessageSink& sink) {
  auto& operation = *static_cast<Operation*>(entry.op_context);
  if (operation.kind == Kind::kReceive) {
    const auto index = static_cast<size_t>(&operation - receives_.data());
    if (entry.len > kMessageSize) return false;
    return sink.on_message({receive_buffer(index), entry.len}) && post_receive(index);
  }
  operation.busy = false;
  under_way_ -= operation.size;
  while (writes_begin_ != writes_end_ && !writes_[writes_begin_ % kWrites].busy) {
    bounce_begin_ = writes_[writes_begin_ % kWrites].end;
    writes_begin_++;
  }
  return true;
}

}  // namespace freshet::fabric
