/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Context and lifetime */
#include "cf.h"
