#include "native/io/fabric/library.h"

#include <dlfcn.h>

namespace freshet::fabric {
namespace {

template <typename Function>
bool find(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(dlsym(library, name));
  return out != nullptr;
}

}  // namespace

Status Library::load(Library& out) {
  void* library = dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return Status::kNoFabric;
  const bool complete =
      find(library, "fi_getinfo", out.getinfo) && find(library, "fi_freeinfo", out.freeinfo) &&
      find(library, "fi_dupinfo", out.dupinfo) && find(library, "fi_fabric", out.fabric) &&
      find(library, "fi_version", out.version);
  dlclose(library);
  return complete && FI_VERSION_GE(out.version(), kInterface) ? Status::kOk : Status::kNoFabric;
}

}  // namespace freshet::fabric
