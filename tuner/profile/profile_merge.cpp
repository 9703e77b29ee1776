#include "tuner/profile/profile_merge.hpp"

#include <algorithm>
#include <string>
#include <tuple>

#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

// Writes one line. Bytes that are not UTF-8 are replaced, as they are no reason to fail.
std::string text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// What a profile says about itself besides its plans and roofs. The date is ISO 8601, which sorts as text.
auto head(const Profile& profile) {
  return std::tuple(profile.created, profile.sluice_version, profile.command, text(to_json(profile.machine)));
}

// Keeps one element for each key, the one that `wins` over the others, and sorts by `key`.
template <class T, class Key, class Wins>
std::vector<T> best_of_each(std::vector<T> all, Key key, Wins wins) {
  std::sort(all.begin(), all.end(),
            [&](const T& a, const T& b) { return key(a) != key(b) ? key(a) < key(b) : wins(a, b); });
  all.erase(std::unique(all.begin(), all.end(), [&](const T& a, const T& b) { return key(a) == key(b); }), all.end());
  return all;
}

template <class T>
std::vector<T> joined(std::vector<T> first, const std::vector<T>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

bool better(const ProfilePlan& a, const ProfilePlan& b) {
  if (a.measured.has_value() != b.measured.has_value()) return a.measured.has_value();
  if (a.measured) {
    // More pairs are better, so the numbers of pairs are swapped.
    const auto a_rank = std::tuple(a.measured->ratio_high, b.measured->pairs, a.measured->contended_share);
    const auto b_rank = std::tuple(b.measured->ratio_high, a.measured->pairs, b.measured->contended_share);
    if (a_rank != b_rank) return a_rank < b_rank;
  }
  return text(to_json(a)) < text(to_json(b));
}

Profile merged(const Profile& a, const Profile& b) {
  Profile whole = head(a) < head(b) ? b : a;
  whole.roofs.fma = best_of_each(
      joined(a.roofs.fma, b.roofs.fma), [](const FmaRoof& roof) { return std::tuple(roof.isa, roof.threads); },
      [](const FmaRoof& x, const FmaRoof& y) { return x.flops > y.flops; });
  whole.roofs.dot = best_of_each(
      joined(a.roofs.dot, b.roofs.dot),
      [](const DotRoof& roof) { return std::tuple(roof.isa, roof.arithmetic, roof.weight_bits, roof.threads); },
      [](const DotRoof& x, const DotRoof& y) { return x.flops > y.flops; });
  whole.roofs.read = best_of_each(
      joined(a.roofs.read, b.roofs.read),
      [](const ReadRoof& roof) { return std::tuple(roof.threads, roof.footprint_bytes); },
      [](const ReadRoof& x, const ReadRoof& y) { return x.bytes_per_second > y.bytes_per_second; });
  whole.plans = best_of_each(
      joined(a.plans, b.plans), [](const ProfilePlan& plan) { return cell_key(plan.row); }, better);
  return whole;
}

}  // namespace sluice::tuner
