/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Message ring */
#include "cf.h"
