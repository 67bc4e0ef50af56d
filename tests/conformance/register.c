/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restrictions, registration, resize, query */
#include "cf.h"
