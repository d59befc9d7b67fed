// The transport over libfabric (`fabric`), and what this machine has of it.
//
// Nothing here needs libfabric's headers: without them at build open_fabric() is kNoFabric, and so
// it is where the library is not found at run time.
#ifndef FRESHET_IO_FABRIC_FABRIC_H_
#define FRESHET_IO_FABRIC_FABRIC_H_

#include <memory>
#include <string>

#include "native/io/tcp/tcp_transport.h"
#include "native/io/transport.h"

namespace freshet {

struct FabricConfig {
  TransportKind kind = TransportKind::kFabricTcp;
  TcpConfig control;  // the connection that everything begins with; its host is the fabric's too
};

// `port` is where the control connection listens. As TcpTransport::open(), and
//   kNoFabric        no library, or no such provider at this address
//   kUnorderedFabric the provider does not promise write-after-write order
//   kMemlockTooLow   the provider pins memory, of which this process may pin too little
Status open_fabric(FabricConfig config, std::unique_ptr<Transport>& out, uint16_t& port);

// What a member would find, without opening anything that stays.
struct FabricReport {
  bool compiled = false;        // the headers were there at build
  std::string library;          // its version; empty: not found
  Status status = Status::kOk;  // as open_fabric() for this kind and address
  std::string domain;           // the device or interface that would be used
  bool ordered = false;         // write-after-write
  bool pins = false;            // needs memory locked in place
  uint64_t memlock = 0;         // bytes that may be; UINT64_MAX: any
};
FabricReport inspect_fabric(TransportKind kind, const std::string& host);

}  // namespace freshet

#endif  // FRESHET_IO_FABRIC_FABRIC_H_
