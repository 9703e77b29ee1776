// Owns: the absence of <sys/auxv.h> on macOS.
#error "macOS has no <sys/auxv.h>"
