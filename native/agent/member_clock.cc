// The member's calls about its clocks.
#include "native/agent/member.h"

namespace freshet {

Member::Clocks Member::clocks() const {
  return {agent_->wall(around_->boot_now()), around_->wall_now(), shared_.clock.newest()};
}

Status Member::shift_clock(Micros by, bool anew) {
  if (is_closed()) return Status::kClosed;
  return call([by, anew](Agent& agent) { agent.shift_wall(by, anew); }, false);
}

}  // namespace freshet
