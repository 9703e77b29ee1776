// Owns: a file without a name, to share memory through or to write into. Does not own: its size or its end.
#pragma once

namespace sluice::bench {

// A descriptor that is closed on exec; below 0 when there is none to be had. In memory where the system can do that,
// else in its directory for temporary files. `purpose` shows in the system's lists.
int anonymous_file(const char* purpose) noexcept;

}  // namespace sluice::bench
