// A cell: 8 aligned bytes with one writer, read while it may be written.
//
// A row lies in memory that the transport (with RDMA: the network card) writes, so every access is
// an atomic one: acquire, so that what the writer wrote before is seen, and release.
#ifndef FRESHET_CORE_CELL_H_
#define FRESHET_CORE_CELL_H_

#include <atomic>
#include <cstdint>

namespace freshet {

inline uint64_t load_cell(const uint64_t* cell) {
  // atomic_ref wants a mutable object; a load changes nothing.
  return std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(cell)).load(std::memory_order_acquire);
}
inline void store_cell(uint64_t* cell, uint64_t value) {
  std::atomic_ref<uint64_t>(*cell).store(value, std::memory_order_release);
}

}  // namespace freshet

#endif  // FRESHET_CORE_CELL_H_
