// Owns: Ctrl-C as a request: a long measurement asks between two trials and saves what it has.
#pragma once

namespace sluice::tuner {

// From now on SIGINT and SIGTERM only set a flag; the second one ends the program at once.
void catch_interruption();
bool interrupted() noexcept;

}  // namespace sluice::tuner
