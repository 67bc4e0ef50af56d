/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting */
#include "cf.h"
