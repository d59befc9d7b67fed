#include "native/agent/door/ticket.h"

#include <cstddef>
#include <string_view>

#include "native/io/hmac.h"

namespace freshet::door {
namespace {

constexpr uint16_t kTicketFormat = 1;

Bytes text_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

template <typename T>
Bytes bytes_of(const T& object) {
  return std::as_bytes(std::span(&object, 1));
}

Digest proof(std::string_view who, const Digest& key, const Handshake& handshake) {
  return hmac_sha256(
      std::as_bytes(std::span(key)),
      {text_bytes(who), handshake.client_nonce, handshake.member_nonce, bytes_of(handshake.node)});
}

}  // namespace

Status check_ticket(const Secret& secret, const Ticket& ticket, Micros now) {
  if (ticket.format != kTicketFormat) return Status::kNewerFormat;
  const Digest mac =
      hmac_sha256(std::as_bytes(std::span(secret)),
                  {text_bytes("freshet ticket"), bytes_of(ticket).first(offsetof(Ticket, mac))});
  if (!equal_in_constant_time(std::as_bytes(std::span(mac)), ticket.mac))
    return Status::kUnauthenticated;
  return static_cast<double>(now) < ticket.expires ? Status::kOk : Status::kUnauthenticated;
}

Digest ticket_key(const Secret& secret, const Ticket& ticket) {
  return hmac_sha256(std::as_bytes(std::span(secret)),
                     {text_bytes("freshet ticket key"), bytes_of(ticket)});
}

Digest member_proof(const Digest& key, const Handshake& handshake) {
  return proof("member", key, handshake);
}

Digest client_proof(const Digest& key, const Handshake& handshake) {
  return proof("client", key, handshake);
}

}  // namespace freshet::door
