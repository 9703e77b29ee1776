// Owns: the window of a diagnosis: the timer, the peak of each ISA, and probes without pause until the time is up.
// Does not own: a probe itself (clock.hpp), what follows from it (doctor_findings.hpp).
#pragma once

#include <filesystem>

#include "tuner/doctor/doctor_readings.hpp"

namespace sluice::tuner {

Timer measure_timer();

// Fills in the window's part of `readings`. After a second or two of preparation it takes probes of `isa`, with one
// thread and with default_threads() in turns, for about `seconds`, and reads the counters before and after. Stops early
// if interrupted().
void measure_window(Readings& readings, Isa isa, double seconds, const std::filesystem::path& root = "/");

}  // namespace sluice::tuner
