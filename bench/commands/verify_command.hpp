// Owns: the verb `sluice verify`.
#pragma once

#include "tuner/workload/verification.hpp"

namespace sluice::bench {

int verify_command(int argc, char** argv);

// The same for kernels that `pack` provides, so that a test can show that wrong ones are refused.
int verify_with(int argc, char** argv, const tuner::PackFunction& pack);

}  // namespace sluice::bench
