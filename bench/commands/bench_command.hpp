// Owns: the verb `sluice bench`.
#pragma once

namespace sluice::bench {

int bench_command(int argc, char** argv);

}  // namespace sluice::bench
