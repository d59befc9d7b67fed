// Who may come in by the native door: a ticket that the member's TypeScript has issued under the
// cluster's secret, and proofs of both sides that they know what belongs to it (in the manner of
// Needham and Schroeder's protocol, CACM 21(12), 1978, with the member as its own server).
//
// Thread: any; pure functions.
#ifndef FRESHET_AGENT_DOOR_TICKET_H_
#define FRESHET_AGENT_DOOR_TICKET_H_

#include "native/agent/door/door_frames.h"
#include "native/core/status.h"
#include "native/core/types.h"
#include "native/io/sha256.h"
#include "native/io/transport.h"

namespace freshet::door {

// What both sides know of one connection while they prove it.
struct Handshake {
  std::array<std::byte, kNonceSize> client_nonce = {};
  std::array<std::byte, kNonceSize> member_nonce = {};
  uint32_t node = 0;
};

// kUnauthenticated: not issued under this secret, or over. kNewerFormat.
Status check_ticket(const Secret& secret, const Ticket& ticket, Micros now);
// The key that the ticket's owner was given beside it.
Digest ticket_key(const Secret& secret, const Ticket& ticket);
Digest member_proof(const Digest& key, const Handshake& handshake);
Digest client_proof(const Digest& key, const Handshake& handshake);

}  // namespace freshet::door

#endif  // FRESHET_AGENT_DOOR_TICKET_H_
