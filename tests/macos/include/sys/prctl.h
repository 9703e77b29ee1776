// Owns: the absence of <sys/prctl.h> on macOS.
#error "macOS has no <sys/prctl.h>"
