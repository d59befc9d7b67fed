// One end of a fabric connection to a peer: its own domain, so that nothing registered for this
// peer is within another's reach, a completion queue, buffers, and what is under way.
//
// Thread: the agent's.
// Invariants
//  1. Posted operations and registered memory never outlast the endpoint: shut() ends them.
//  2. Buffers are used again only after their completion.
//  3. kReceives messages can come at any time: a taken one's buffer is posted again at once.
#ifndef FRESHET_IO_FABRIC_ENDPOINT_H_
#define FRESHET_IO_FABRIC_ENDPOINT_H_

#include <array>

#include "native/io/fabric/provider.h"

namespace freshet::fabric {

class MessageSink {
 public:
  virtual ~MessageSink() = default;
  // False: it makes no sense, the connection is not to be read any further.
  virtual bool on_message(Bytes message) = 0;
};

// Memory that the peer may write.
struct Registered {
  Owned<fid_mr> registration;
  uint64_t address = 0;  // as the peer names its first byte
  uint64_t key = 0;
};

class Endpoint {
 public:
  enum class Sent : uint8_t { kYes, kFull, kBroken };

  // kNoFabric, kMemlockTooLow.
  static Status open(const Provider& provider, std::unique_ptr<Endpoint>& out);
  ~Endpoint();

  // Where a peer finds this very endpoint; empty with connections.
  Bytes name() const { return {name_, name_length_}; }
  const fid* id() const { return endpoint_ == nullptr ? nullptr : &endpoint_->fid; }
  fid_cq* completions() const { return completions_.get(); }
  int fd() const { return fd_; }

  // Towards a listener, showing `proof`; without connections it stands at once.
  Status connect(Bytes name, Bytes proof);
  Status accept(fi_info& request);
  // The peer has found it, nobody else has to: a process that is killed leaves no name behind.
  void hide();
  // Nothing is read, written or received any more.
  void shut();

  // `key` is taken where the provider leaves it to us. kMemlockTooLow: it cannot be registered.
  Status add_region(MutableBytes memory, uint64_t key, Registered& out);

  // Writes the first `taken` of these bytes; they may change once it returned.
  Sent write(Bytes bytes, uint64_t address, uint64_t key, size_t& taken);
  // Room for a message; empty: as many as may be are under way.
  MutableBytes message();
  // Sends the first bytes of what message() gave last.
  Sent send(size_t size);
  size_t under_way() const { return under_way_; }

  // Takes completions, and with them received messages. False: it is broken.
  bool progress(MessageSink& sink);

 private:
  enum class Kind : uint8_t { kReceive, kMessage, kWrite };
  struct Operation {
    fi_context context;  // the provider's while it is under way; first, so that one names the other
    Kind kind;
    bool busy;
    uint32_t size;
    uint64_t end;  // of a write in the bounce ring
  };

  explicit Endpoint(const Provider& provider) : provider_(provider) {}
  Status start();
  Status make(fi_info& info);
  bool post_receive(size_t index);
  bool complete(const fi_cq_msg_entry& entry, MessageSink& sink);
  bool bounce_room(size_t size, uint64_t& begin) const;
  std::byte* receive_buffer(size_t index) { return memory_.get() + index * kMessageSize; }
  std::byte* message_buffer(size_t index) { return receive_buffer(kReceives + index); }
  std::byte* bounce_buffer() { return receive_buffer(kReceives + kSends); }
  void* key_of_memory() const { return local_ == nullptr ? nullptr : fi_mr_desc(local_.get()); }

  const Provider& provider_;
  std::unique_ptr<std::byte[]> memory_;
  Owned<fid_domain> domain_;
  Owned<fid_mr> local_;  // of memory_, where the provider wants that
  Owned<fid_cq> completions_;
  Owned<fid_av> addresses_;
  Owned<fid_ep> endpoint_;
  int fd_ = -1;
  std::byte name_[kNameMax] = {};
  size_t name_length_ = 0;
  fi_addr_t peer_ = FI_ADDR_UNSPEC;
  size_t inject_max_ = 0;
  size_t message_max_ = kMessageSize;

  std::array<Operation, kReceives> receives_ = {};
  std::array<Operation, kSends> messages_ = {};
  size_t message_ = 0;  // which of them message() gave
  // Direct writes complete in their order or not; the bounce ring is freed in order.
  std::array<Operation, kWrites> writes_ = {};
  uint64_t writes_begin_ = 0, writes_end_ = 0;
  uint64_t bounce_begin_ = 0, bounce_end_ = 0;
  size_t under_way_ = 0;
};

}  // namespace freshet::fabric

#endif  // FRESHET_IO_FABRIC_ENDPOINT_H_
