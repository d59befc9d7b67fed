#include "native/io/fabric/provider.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "native/core/check.h"
#include "native/io/tcp/socket.h"

namespace freshet::fabric {
namespace {

constexpr Traits kVerbs{"verbs", FI_EP_MSG, true, true, true};
constexpr Traits kTcp{"tcp", FI_EP_MSG, false, false, true};
constexpr Traits kShm{"shm", FI_EP_RDM, true, false, false};

// A write is seen behind the writes and messages before it, a message behind the writes before it.
constexpr uint64_t kOrder = FI_ORDER_WAW | FI_ORDER_SAW | FI_ORDER_WAS | FI_ORDER_SAS;

// fi_freeinfo() frees these with free().
char* copy_text(const char* text) { return strdup(text); }

void* copy_address(const tcp::SocketAddress& address) {
  void* copy = std::malloc(address.length);
  FRESHET_CHECK(copy != nullptr);
  std::memcpy(copy, &address.storage, address.length);
  return copy;
}

// Every address of this machine: not one that a peer could be told.
bool is_wildcard(const tcp::SocketAddress& address) {
  if (address.storage.ss_family == AF_INET6)
    return IN6_IS_ADDR_UNSPECIFIED(
        &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
  return reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr == INADDR_ANY;
}

Info hints_for(const Library& library, const Traits& traits, uint64_t order) {
  Info hints(library.dupinfo(nullptr), FreeInfo{&library});
  FRESHET_CHECK(hints != nullptr);
  hints->fabric_attr->prov_name = copy_text(traits.name);
  hints->ep_attr->type = traits.type;
  hints->caps = FI_MSG | (traits.direct ? FI_RMA : 0);
  hints->mode = FI_CONTEXT | FI_RX_CQ_DATA;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  hints->domain_attr->threading = FI_THREAD_SAFE;
  hints->tx_attr->msg_order = order;
  hints->rx_attr->msg_order = order;
  return hints;
}

Status ask(const Library& library, const Traits& traits, const std::string& host, uint64_t order,
           Info& out) {
  const Info hints = hints_for(library, traits, order);
  const char* node = nullptr;
  uint64_t flags = 0;
  if (traits.type == FI_EP_MSG) {
    tcp::SocketAddress address;
    const Status status = tcp::numeric_address(host, 0, address);
    if (!is_ok(status)) return status;
    if (is_wildcard(address)) return Status::kInvalidArgument;
    const bool is_six = address.storage.ss_family == AF_INET6;
    hints->addr_format = is_six ? uint32_t{FI_SOCKADDR_IN6} : uint32_t{FI_SOCKADDR_IN};
    node = host.c_str();
    flags = FI_SOURCE;
  }
  fi_info* found = nullptr;
  if (library.getinfo(kInterface, node, nullptr, flags, hints.get(), &found) != 0)
    return Status::kNoFabric;
  out = Info(found, FreeInfo{&library});
  return Status::kOk;
}

bool may_pin_any() {
  __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &head, data) != 0) return false;
  return (data[CAP_IPC_LOCK / 32].effective & (1u << (CAP_IPC_LOCK % 32))) != 0;
}

}  // namespace

const Traits& traits_of(TransportKind kind) {
  FRESHET_CHECK(kind != TransportKind::kTcp);
  if (kind == TransportKind::kFabricVerbs) return kVerbs;
  return kind == TransportKind::kFabricTcp ? kTcp : kShm;
}

uint64_t memlock_limit() {
  rlimit limit = {};
  if (may_pin_any() || getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return UINT64_MAX;
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

Status Provider::find(const Library& library, const Traits& traits, const std::string& host,
                      Info& out) {
  const Status status = ask(library, traits, host, kOrder, out);
  if (is_ok(status)) {
    const bool ordered = (out->tx_attr->msg_order & kOrder) == kOrder &&
                         (!traits.direct || out->ep_attr->max_order_waw_size > 0);
    return ordered ? Status::kOk : Status::kUnorderedFabric;
  }
  if (status != Status::kNoFabric) return status;
  return is_ok(ask(library, traits, host, 0, out)) ? Status::kUnorderedFabric : Status::kNoFabric;
}

Status Provider::open(TransportKind kind, const std::string& host, std::unique_ptr<Provider>& out) {
  std::unique_ptr<Provider> provider(new Provider(traits_of(kind)));
  provider->host_ = host;
  Status status = Library::load(provider->library_);
  if (!is_ok(status)) return status;
  if (provider->traits_.hardware && memlock_limit() < kMemlockMin) return Status::kMemlockTooLow;
  status = find(provider->library_, provider->traits_, host, provider->info_);
  if (!is_ok(status)) return status;
  fid_fabric* fabric = nullptr;
  if (provider->library_.fabric(provider->info_->fabric_attr, &fabric, nullptr) != 0)
    return Status::kNoFabric;
  provider->fabric_.reset(fabric);
  if (provider->traits_.type == FI_EP_MSG) status = provider->listen();
  if (is_ok(status)) out = std::move(provider);
  return status;
}

Status Provider::listen() {
  fi_eq_attr attributes = {};
  attributes.wait_obj = FI_WAIT_FD;
  fid_eq* events = nullptr;
  if (fi_eq_open(fabric_.get(), &attributes, &events, nullptr) != 0) return Status::kNoFabric;
  events_.reset(events);
  if (fi_control(&events->fid, FI_GETWAIT, &event_fd_) != 0) event_fd_ = -1;
  fid_pep* listener = nullptr;
  if (fi_passive_ep(fabric_.get(), info_.get(), &listener, nullptr) != 0) return Status::kNoFabric;
  listener_.reset(listener);
  name_length_ = sizeof name_;
  const bool listens = fi_pep_bind(listener, &events->fid, 0) == 0 && fi_listen(listener) == 0 &&
                       fi_getname(&listener->fid, name_, &name_length_) == 0;
  return listens ? Status::kOk : Status::kNoFabric;
}

Status Provider::resolve(Bytes name, Info& out) const {
  tcp::SocketAddress there, mine;
  if (name.size() > sizeof there.storage) return Status::kInvalidArgument;
  std::memcpy(&there.storage, name.data(), name.size());
  char host[INET6_ADDRSTRLEN] = {};
  uint16_t port = 0;
  if (there.storage.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(there.storage);
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    port = ntohs(address.sin_port);
  } else if (there.storage.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(there.storage);
    inet_ntop(AF_INET6, &address.sin6_addr, host, sizeof host);
    port = ntohs(address.sin6_port);
  } else {
    return Status::kInvalidArgument;
  }
  const Status status = tcp::numeric_address(host_, 0, mine);
  if (!is_ok(status)) return status;
  // From this member's own address: its packets then take the device that belongs to it.
  const Info hints = hints_for(library_, traits_, kOrder);
  hints->addr_format = info_->addr_format;
  hints->src_addr = copy_address(mine);
  hints->src_addrlen = mine.length;
  fi_info* found = nullptr;
  const std::string service = std::to_string(port);
  if (library_.getinfo(kInterface, host, service.c_str(), 0, hints.get(), &found) != 0)
    return Status::kPeerUnreachable;
  out = Info(found, FreeInfo{&library_});
  return Status::kOk;
}

}  // namespace freshet::fabric
