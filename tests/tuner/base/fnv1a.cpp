// FNV-1a against the vectors that its authors publish, and its digits.
#include "tuner/base/fnv1a.hpp"

#include <gtest/gtest.h>

namespace sluice::tuner {
namespace {

std::string digits_of(std::string_view bytes) {
  Fnv1a hash;
  hash.add(bytes);
  return hash.digits();
}

TEST(Fnv1a, IsThePublishedOne) {
  EXPECT_EQ(digits_of(""), "cbf29ce484222325");
  EXPECT_EQ(digits_of("a"), "af63dc4c8601ec8c");
  EXPECT_EQ(digits_of("foobar"), "85944171f73967e8");
}

TEST(Fnv1a, DigitsKeepLeadingZeros) {
  EXPECT_EQ(digits_of("98680"), "0002ce23b3a76f4e");
  EXPECT_EQ(digits_of("\xd5\x6b\xb9\x53\x42\x87\x08\x36"), "0000000000000000");
}

}  // namespace
}  // namespace sluice::tuner
