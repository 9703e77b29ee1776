// Owns: Ctrl-C as a request to stop, which a long measurement looks for between two trials to save what it has.
#pragma once

namespace sluice::tuner {

// From now on the first SIGINT or SIGTERM only sets a flag. Another one ends the program at once, unless it comes
// within a second of the first: timeout(1), for one, sends the same request to the program and then to its group.
void catch_interruption();
bool interrupted() noexcept;

}  // namespace sluice::tuner
