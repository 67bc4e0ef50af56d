/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links */
#include "cf.h"
