// HMAC-SHA256 (RFC 2104, FIPS 198-1) and a comparison whose time tells nothing.
#ifndef FRESHET_IO_HMAC_H_
#define FRESHET_IO_HMAC_H_

#include <initializer_list>

#include "native/io/sha256.h"

namespace freshet {

// Over the parts one after the other. The parts carry no lengths: give them fixed sizes.
Digest hmac_sha256(Bytes key, std::initializer_list<Bytes> parts);

bool equal_in_constant_time(Bytes a, Bytes b);

}  // namespace freshet

#endif  // FRESHET_IO_HMAC_H_
