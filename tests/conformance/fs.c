/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File system operations and the rest */
#include "cf.h"
