// Owns: the names of the C library that macOS does not have; their use beyond a Linux branch is an error.
#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <thread>

#undef MADV_HUGEPAGE
#pragma GCC poison cpu_set_t sched_getaffinity sched_setaffinity memfd_create getauxval prctl
