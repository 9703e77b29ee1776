// Owns: Ctrl-C as a request: a long measurement asks between two trials and saves what it has.
#pragma once

namespace sluice::tuner {

// From now on SIGINT and SIGTERM only set a flag. One that comes a second or more after the first ends the program at
// once; until then it is the same request, which timeout(1), for one, sends to the program and then to its group.
void catch_interruption();
bool interrupted() noexcept;

}  // namespace sluice::tuner
