// Owns: the verb `sluice verify`.
#pragma once

namespace sluice::bench {

int verify_command(int argc, char** argv);

}  // namespace sluice::bench
