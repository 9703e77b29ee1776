// Owns: a file without a name, to share memory through or to write into. Does not own: its size or its end.
#pragma once

namespace sluice::bench {

// Returns a descriptor that is closed on exec, or a negative number if the file cannot be made. The file is in memory
// where the system supports that, else in its directory for temporary files. `purpose` appears in the system's lists.
int anonymous_file(const char* purpose) noexcept;

}  // namespace sluice::bench
