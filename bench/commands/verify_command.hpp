// Owns: the verb `sluice verify`.
#pragma once

#include <functional>

#include "sluice/ffn.hpp"

namespace sluice::bench {

int verify_command(int argc, char** argv);

// The same for kernels that `pack` provides, so that a test can show that wrong ones are refused.
using PackFunction = std::function<Result<Ffn>(Shape, Kind, const Weights&, const PackOptions&)>;
int verify_with(int argc, char** argv, const PackFunction& pack);

}  // namespace sluice::bench
