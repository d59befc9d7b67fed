#include "native/io/tcp/handshake.h"

#include <cstring>

namespace freshet::tcp {

Digest prove(const Secret& secret, Role role, const Identity& dialler, const Identity& acceptor) {
  return hmac_sha256(std::as_bytes(std::span(secret)),
                     {std::as_bytes(std::span(&role, 1)), std::as_bytes(std::span(&dialler, 1)),
                      std::as_bytes(std::span(&acceptor, 1))});
}

Status read_identity(Bytes body, const Identity& mine, Identity& theirs) {
  constexpr size_t kFixed = sizeof theirs.magic + sizeof theirs.protocol;
  if (body.size() < kFixed) return Status::kInvalidArgument;
  std::memcpy(&theirs.magic, body.data(), sizeof theirs.magic);
  std::memcpy(&theirs.protocol, body.data() + sizeof theirs.magic, sizeof theirs.protocol);
  if (theirs.magic != Identity::kMagic) return Status::kInvalidArgument;
  if (theirs.protocol != mine.protocol) return Status::kNewerFormat;
  if (body.size() != sizeof theirs) return Status::kInvalidArgument;
  std::memcpy(&theirs, body.data(), sizeof theirs);
  if (theirs.cluster != mine.cluster) return Status::kWrongCluster;
  if (theirs.transport != mine.transport) return Status::kWrongTransport;
  if (theirs.node == 0 || theirs.node == mine.node || theirs.to != mine.node)
    return Status::kInvalidArgument;
  return Status::kOk;
}

}  // namespace freshet::tcp
