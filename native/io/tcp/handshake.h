// How two members prove to each other that they belong to one cluster. Pure: bytes in, bytes out.
//
//   dialler  -> acceptor  kHello      identity D (with a fresh nonce)
//   acceptor -> dialler   kChallenge  identity A (with a fresh nonce), proof("acceptor", D, A)
//   dialler  -> acceptor  kProof      proof("dialler", D, A)
//   acceptor -> dialler   kWelcome
//
// proof(role, D, A) is HMAC-SHA256 under the cluster's secret over the role and both identities as
// they were on the wire. Both nonces are in it, so a recorded proof fits no other connection; the
// role is in it, so a proof cannot be sent back to who made it. Either side may send kRefused (one
// byte: a Status) instead of its next frame; it is not authenticated and changes nothing but what
// is reported.
#ifndef FRESHET_IO_TCP_HANDSHAKE_H_
#define FRESHET_IO_TCP_HANDSHAKE_H_

#include "native/core/limits.h"
#include "native/core/status.h"
#include "native/io/hmac.h"
#include "native/io/transport.h"

namespace freshet::tcp {

using Nonce = std::array<uint8_t, 32>;

// An identity as it lies on the wire; magic and protocol come first in every version.
struct Identity {
  static constexpr uint64_t kMagic = 0x3174656873657266;  // "freshet1"
  uint64_t magic = kMagic;
  uint32_t protocol = kProtocolVersion;
  NodeId node = 0;
  ClusterId cluster = {};
  uint64_t incarnation = 0;
  uint64_t view = 0;       // number of the newest view installed at the sender; 0: none
  NodeId to = 0;           // whom the sender wants to talk to
  uint32_t transport = 0;  // a TransportKind
  Nonce nonce = {};
};
static_assert(sizeof(Identity) == 88);

enum class Role : uint8_t { kDialler = 1, kAcceptor = 2 };

Digest prove(const Secret& secret, Role role, const Identity& dialler, const Identity& acceptor);

// Reads an identity and compares it with what is expected of the other side:
//   kInvalidArgument  no identity, or meant for another node
//   kNewerFormat      another protocol version
//   kWrongCluster     another cluster
//   kWrongTransport   what would follow goes over another transport
Status read_identity(Bytes body, const Identity& mine, Identity& theirs);

}  // namespace freshet::tcp

#endif  // FRESHET_IO_TCP_HANDSHAKE_H_
