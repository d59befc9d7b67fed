// What a member has around it: clocks, chance, a disk and a network. Those of the machine, or those
// of a simulation, which steps the member itself.
//
// Thread: any may read clocks and chance; the rest while a member opens.
#ifndef FRESHET_AGENT_SURROUNDINGS_H_
#define FRESHET_AGENT_SURROUNDINGS_H_

#include <memory>

#include "native/core/types.h"
#include "native/io/file.h"
#include "native/io/transport.h"

namespace freshet {

struct MemberConfig;

class Surroundings {
 public:
  virtual ~Surroundings() = default;

  // Boot time: it counts while the machine sleeps, as leases run out meanwhile.
  virtual Nanos boot_now() = 0;
  virtual Micros wall_now() = 0;
  virtual void fill_random(MutableBytes out) = 0;
  virtual std::shared_ptr<FileSystem> files() = 0;
  // `port` is where it listens then. As Member::open() for what may go wrong.
  virtual Status open_transport(const MemberConfig& config, uint64_t incarnation,
                                std::unique_ptr<Transport>& out, uint16_t& port) = 0;
  // False: the member makes no thread, its owner calls Member::step() and what is beside it.
  virtual bool has_threads() const = 0;
  // Without threads: a job was posted.
  virtual void on_job() = 0;
};

// Those of this machine.
std::shared_ptr<Surroundings> machine_surroundings();

}  // namespace freshet

#endif  // FRESHET_AGENT_SURROUNDINGS_H_
