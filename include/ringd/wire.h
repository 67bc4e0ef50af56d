/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In the source tree <ringd/wire.h> is found here; make install puts the real file in its place. */
#include "../../proto/wire.h" /* IWYU pragma: export */
