// Owns: BLIS as a peer; it has no prepacked weights.
#include <blis.h>
#include <cblas.h>

#include "bench/peers/cblas_peer.hpp"

namespace sluice::peers {
namespace {

std::string version() { return bli_info_get_version_str(); }

std::string note() { return std::string("kernels for ") + bli_arch_string(bli_arch_query_id()); }

std::vector<Variant> variants(const Problem& problem) {
  bli_thread_set_num_threads(problem.threads);
  return cblas_variants(problem);
}

}  // namespace

const Library library{"blis", version, note, variants};

}  // namespace sluice::peers
