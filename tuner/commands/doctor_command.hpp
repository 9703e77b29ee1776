// Owns: the verb `doctor`: is this machine fit for measuring, and what to do about it; its text and its JSON.
// Does not own: reading, probing (doctor_readings.hpp, doctor_window.hpp), the judgement (doctor_findings.hpp).
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

// One line on stderr when the machine is visibly unfit for the selected threads: for the verbs that measure.
void warn_of_unfitness(std::string_view who, const Machine& machine, const Selection& selection);

// argv[0] is the verb. Throws Failure 4 when the machine is unfit, after the report; returns an exit code.
int doctor_command(int argc, char** argv);

}  // namespace sluice::tuner
