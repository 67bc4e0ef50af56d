/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Provided buffers and regions */
#include "cf.h"
