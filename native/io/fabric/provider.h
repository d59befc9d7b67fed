// One provider of libfabric at one address of this machine: what it needs and promises, the
// listening endpoint, and the queue of connections' events.
//
// Thread: the agent's.
#ifndef FRESHET_IO_FABRIC_PROVIDER_H_
#define FRESHET_IO_FABRIC_PROVIDER_H_

#include <string>

#include "native/io/fabric/fabric_limits.h"
#include "native/io/fabric/library.h"
#include "native/io/transport.h"

namespace freshet::fabric {

// What is known of a provider beforehand. What it says of its own progress is not to be trusted.
struct Traits {
  const char* name;
  fi_ep_type type;  // FI_EP_MSG: connected endpoints; FI_EP_RDM: the name of the other is enough
  // Writes are placed in order and cells whole in the peer's memory, by the hardware or by the
  // peer's own polling. Else (a stream, read in pieces) they travel in messages.
  bool direct;
  bool hardware;   // places at any time, in memory that has to be locked
  bool has_event;  // its queues have a descriptor to wait on
};
const Traits& traits_of(TransportKind kind);

class Provider {
 public:
  // As open_fabric().
  static Status open(TransportKind kind, const std::string& host, std::unique_ptr<Provider>& out);
  // Only looks.
  static Status find(const Library& library, const Traits& traits, const std::string& host,
                     Info& out);

  const Traits& traits() const { return traits_; }
  const Library& library() const { return library_; }
  fi_info& info() const { return *info_; }
  fid_fabric& fabric() const { return *fabric_; }
  fid_eq* events() const { return events_.get(); }  // nullptr: it has no connections
  fid_pep* listener() const { return listener_.get(); }
  Bytes name() const { return {name_, name_length_}; }  // of the listener
  int event_fd() const { return event_fd_; }
  bool needs_local_keys() const { return (info_->domain_attr->mr_mode & FI_MR_LOCAL) != 0; }

  // The way to a peer's listener.
  Status resolve(Bytes name, Info& out) const;

 private:
  explicit Provider(const Traits& traits) : traits_(traits) {}
  Status listen();

  const Traits& traits_;
  Library library_;
  std::string host_;
  Info info_;
  Owned<fid_fabric> fabric_;
  Owned<fid_eq> events_;
  Owned<fid_pep> listener_;
  std::byte name_[kNameMax] = {};
  size_t name_length_ = 0;
  int event_fd_ = -1;
};

// Bytes that this process may lock in place; UINT64_MAX: any.
uint64_t memlock_limit();

}  // namespace freshet::fabric

#endif  // FRESHET_IO_FABRIC_PROVIDER_H_
