// Everything a user of the kernels needs. Functions without an object may be called from any thread at any time.
#pragma once

#include "sluice/executor.hpp"
#include "sluice/ffn.hpp"
#include "sluice/ffn_packer.hpp"
#include "sluice/isa.hpp"
#include "sluice/kind.hpp"
#include "sluice/plan.hpp"
#include "sluice/status.hpp"
