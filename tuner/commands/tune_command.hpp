// Owns: the verb `sluice tune`.
#pragma once

namespace sluice::tuner {

int tune_command(int argc, char** argv);

}  // namespace sluice::tuner
