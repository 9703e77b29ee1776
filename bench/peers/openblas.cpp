// Owns: OpenBLAS as a peer. Built against its OpenMP variant, whose thread count follows OMP_NUM_THREADS and which
// shares its threads with the gate; it has no prepacked weights.
#include <cblas.h>
#include <openblas_config.h>

#include "bench/peers/cblas_peer.hpp"

namespace sluice::peers {
namespace {

std::string version() {
  const std::string text = openblas_get_config();  // "OpenBLAS 0.3.21 NO_AFFINITY USE_OPENMP SkylakeX MAX_THREADS=64"
  const std::size_t from = text.find(' ') + 1;
  return text.substr(from, text.find(' ', from) - from);
}

std::string note() {
  return std::string("kernels for ") + openblas_get_corename() +
         (openblas_get_parallel() == OPENBLAS_OPENMP ? ", OpenMP" : ", own threads");
}

std::vector<Variant> variants(const Problem& problem) {
  openblas_set_num_threads(problem.threads);
  return cblas_variants(problem);
}

}  // namespace

const Library library{"openblas", version, note, variants};

}  // namespace sluice::peers
