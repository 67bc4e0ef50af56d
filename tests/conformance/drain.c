/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CQE_SKIP_SUCCESS and drain */
#include "cf.h"
