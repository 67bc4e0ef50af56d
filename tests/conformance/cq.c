/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CQ, overflow, mixed CQEs */
#include "cf.h"
