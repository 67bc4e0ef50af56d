/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In the source tree <ringd.h> is found here; make install puts the real file in its place. */
#include "../client-lib/ringd.h" /* IWYU pragma: export */
