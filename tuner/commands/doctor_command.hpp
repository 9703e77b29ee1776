// Owns: the verb `doctor`, which tells whether this machine is fit for measuring and what to do about it; its text and
// its JSON. Does not own: reading, probing (doctor_readings.hpp, doctor_window.hpp), the judgement
// (doctor_findings.hpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tuner/commands/command_line.hpp"
#include "tuner/doctor/doctor_findings.hpp"

namespace sluice::tuner {

// Lines of at most 120 columns.
std::string diagnosis_text(const Readings& readings, const std::vector<Finding>& findings);
std::string diagnosis_json(const Readings& readings, const std::vector<Finding>& findings);

// Writes one line on stderr if the machine is visibly unfit for the selected threads. For the verbs that measure.
void warn_of_unfitness(std::string_view who, const Machine& machine, const Selection& selection);

// argv[0] is the verb. Returns an exit code, or throws Failure 4 after the report if the machine is unfit.
int doctor_command(int argc, char** argv);

}  // namespace sluice::tuner
