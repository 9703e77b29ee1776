// Owns: what Sluice uses of macOS's <sys/sysctl.h>, which Linux does not have.
#pragma once

#include <stddef.h>

extern "C" int sysctlbyname(const char* name, void* old_value, size_t* old_size, void* new_value, size_t new_size);
