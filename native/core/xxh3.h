// XXH3, 64 bits, seed 0: the hash that places keys and finds them again.
// Source: xxHash specification, github.com/Cyan4973/xxHash, doc/xxhash_spec.md. Stable for ever:
// the catalog names it.
//
// Thread: any.
#ifndef FRESHET_CORE_XXH3_H_
#define FRESHET_CORE_XXH3_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace freshet {

uint64_t xxh3_64(const void* data, size_t size);
inline uint64_t xxh3_64(std::string_view text) { return xxh3_64(text.data(), text.size()); }

}  // namespace freshet

#endif  // FRESHET_CORE_XXH3_H_
