// libfabric, loaded at run time: a member that does not use it does not need it.
//
// Most of its interface are tables of functions that its objects bring along; only these few have
// to be found by name.
#ifndef FRESHET_IO_FABRIC_LIBRARY_H_
#define FRESHET_IO_FABRIC_LIBRARY_H_

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <memory>

#include "native/core/status.h"

namespace freshet::fabric {

struct Library {
  decltype(&::fi_getinfo) getinfo = nullptr;
  decltype(&::fi_freeinfo) freeinfo = nullptr;
  decltype(&::fi_dupinfo) dupinfo = nullptr;
  decltype(&::fi_fabric) fabric = nullptr;
  decltype(&::fi_version) version = nullptr;

  // kNoFabric if it is not there. Once loaded it stays: its providers may have threads.
  static Status load(Library& out);
};

// The oldest interface that has everything used here, and the one that was tried.
inline constexpr uint32_t kInterface = FI_VERSION(1, 17);

struct FreeInfo {
  const Library* library = nullptr;
  void operator()(fi_info* info) const { library->freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, FreeInfo>;

template <typename T>
struct CloseObject {
  void operator()(T* object) const { (void)fi_close(&object->fid); }
};
// Any of libfabric's objects; what was made of it has to be closed before it.
template <typename T>
using Owned = std::unique_ptr<T, CloseObject<T>>;

}  // namespace freshet::fabric

#endif  // FRESHET_IO_FABRIC_LIBRARY_H_
